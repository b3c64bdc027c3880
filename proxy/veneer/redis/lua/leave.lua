-- A node's good-bye: it answers from its stores no more and has no write open. ARGV: 1 node.
redis.call('HDEL', KEYS[1], 'n:' .. ARGV[1], 'g:' .. ARGV[1], 'w:' .. ARGV[1])
