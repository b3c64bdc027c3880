-- Give the lock KEYS[1] back. ARGV: 1 token, 2 ms to remember that the fetch is stored, 3 by what that varies (releasing.lua).
return release(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
