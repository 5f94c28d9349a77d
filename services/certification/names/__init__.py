"""What may be written on a paper that goes outside: names of people, and words that do not tell where somebody was."""
