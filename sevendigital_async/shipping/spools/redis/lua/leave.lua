#!lua flags=allow-oom
-- Remove a worker that ends.
-- include: spool
local worker = ARGV[3]

if spool_error then return {spool_error} end
call('ZREM', base .. 'workers', worker)
call('HDEL', base .. 'appends', worker, worker .. ':answer')
return {'ok'}
