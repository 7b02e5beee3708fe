#!lua flags=allow-oom
-- Answers with a page of the journal or of the dead letters.
-- include: spool
local stream = ARGV[3] -- journal or dead-letters
local start = ARGV[4]
local limit = ARGV[5]

if read_error then return {read_error} end
return {'ok', call('XRANGE', base .. stream, start, '+', 'COUNT', limit)}
