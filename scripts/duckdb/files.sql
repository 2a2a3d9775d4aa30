-- Queries over an archive's files, as the README shows them. The test replaces the folder by its own.

-- messages with their files, and where these are
SELECT gid, seq, From_Account, kind, name, state, bytes, 'blob/' || left(sha256, 2) || '/' || sha256 AS file
FROM read_json('chatexport-demo/chat-archive-1250000000/media/**/*.ndjson.gz', format='newline_delimited', hive_types_autocast=false,
  columns={seq: 'BIGINT', n: 'BIGINT', kind: 'VARCHAR', name: 'VARCHAR', state: 'VARCHAR', bytes: 'BIGINT', sha256: 'VARCHAR'}) AS link
JOIN read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', hive_types_autocast=false,
  ignore_errors=true, columns={MsgSeq: 'BIGINT', From_Account: 'VARCHAR'}) AS message USING (gid, tid)
WHERE seq = MsgSeq ORDER BY gid, tid, seq, n;

-- what became of all links
SELECT state, count(*) AS links, sum(bytes)::BIGINT AS bytes
FROM read_json('chatexport-demo/chat-archive-1250000000/media/**/*.ndjson.gz', format='newline_delimited',
  columns={state: 'VARCHAR', bytes: 'BIGINT'})
WHERE state IS NOT NULL GROUP BY state ORDER BY links DESC, state;
