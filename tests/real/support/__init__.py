"""What the tests of real programs share: how they are installed, started and run both ways."""
