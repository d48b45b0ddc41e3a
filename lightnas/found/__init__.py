"""What detectors find, whatever runs them: which boxes are kept, written, drawn and measured.

boxes                        which boxes are kept; boxes under the ids and names of the data
looking, found_dir, videos   pictures and videos looked at, and what is written of it
objects, truth               true and found boxes of a split as arrays
evaluation, confusion        AP and what is beside it
measuring                    what a test says and writes
"""
