"""The command line's commands, a file for each: parse, call, print."""
