-- Hold a lock for longer. ARGV: 1 token, 2 ms from now. Returns 1 when it was still held by this token.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
