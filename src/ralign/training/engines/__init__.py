"""Training engines: TRL on one machine, verl on Ray on one or many. Only these import torch and its kin.

`base_model` is what both need to know of the model that training starts from.
"""
