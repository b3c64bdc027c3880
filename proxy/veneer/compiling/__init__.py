"""The compiled form of the proxy: a copy of the package in which the modules of modules.txt are native code (mypyc)."""
