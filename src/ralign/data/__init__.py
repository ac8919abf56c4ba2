"""What is learned from: converted pairs, gold rationales, reference answers."""
