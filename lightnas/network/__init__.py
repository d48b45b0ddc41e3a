"""What a network is: its blocks, stages and structure, and what follows from them: cost, entropy and score. numpy only."""
