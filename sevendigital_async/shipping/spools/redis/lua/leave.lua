#!lua flags=allow-oom
-- Let a worker end. Its last step is forgotten half an hour later: until then, the network may deliver a copy of it whose
-- sender has given it up.
-- include: spool
local worker = ARGV[3]

if spool_error then return {spool_error} end
call('ZADD', base .. 'workers', now - WORKER_FORGOTTEN_MS + 1800000, worker)
return {'ok'}
