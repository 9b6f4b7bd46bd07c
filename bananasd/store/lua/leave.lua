-- leave: take a node that stops off the list. What it held has been recovered before.
--
-- KEYS  1 nodes   2 node hash
-- ARGV  1 node
-- Returns 1.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
