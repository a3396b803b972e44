"""`python -m stenod`: the command line, and nothing else."""

from stenod.cli.main import main

if __name__ == "__main__":
    main()
