"""The command line's commands, by what they are about; each is one verb of finrec.pipeline."""
