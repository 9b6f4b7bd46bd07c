-- Until when a run of a job may begin. The span stays in the record, for whoever lets the job wait anew.
local function limit_wait(job, expires_in, since)
  redis.call('HSET', job, 'expires_in', expires_in, 'expires_at', since + expires_in)
end
