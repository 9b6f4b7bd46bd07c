-- bury: settle a run that failed for good; the job goes to the dead letters.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 id   4 run   5 error
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include count
--!include own
--!include bury
local prefix, id = ARGV[1], ARGV[3]
if not take_from_holder(prefix, ARGV[2], id, ARGV[4]) then return { id } end
count_up(prefix .. 'job:' .. id, 'attempts')
bury(prefix, id, now_ms(), ARGV[5])
return {}
