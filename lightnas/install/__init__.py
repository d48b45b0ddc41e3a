"""What the detection stage needs of this machine, whether it is there, and how it gets there."""
