"""Methods to compare with, one file each; every one meets :class:`finrec.scorer.Scorer`."""
