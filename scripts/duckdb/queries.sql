-- Queries over an archive, as the README shows them. The test replaces the folder by its own.

-- messages a day
SELECT to_timestamp(MsgTimeStamp)::DATE AS day, count(*) AS messages
FROM read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
  columns={MsgTimeStamp: 'BIGINT', IsPlaceMsg: 'INTEGER'})
WHERE IsPlaceMsg = 0 GROUP BY day ORDER BY day;

-- top senders
SELECT From_Account, count(*) AS messages
FROM read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
  columns={From_Account: 'VARCHAR', IsPlaceMsg: 'INTEGER', IsSystemMsg: 'INTEGER'})
WHERE IsPlaceMsg = 0 AND coalesce(IsSystemMsg, 0) = 0 GROUP BY From_Account ORDER BY messages DESC, From_Account LIMIT 3;

-- text search, in any element of a message
SELECT MsgSeq, From_Account, array_to_string(MsgBody->>'$[*].MsgContent.Text', ' ') AS text
FROM read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
  columns={MsgSeq: 'BIGINT', From_Account: 'VARCHAR', IsPlaceMsg: 'INTEGER', MsgBody: 'JSON'})
WHERE IsPlaceMsg = 0 AND text ILIKE '%ssh_config%' ORDER BY MsgSeq;

-- what came and could not be read
SELECT GroupId, MsgSeq, _malformed.bytes AS bytes, from_base64(_malformed.answer) AS answer
FROM read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
  columns={GroupId: 'VARCHAR', MsgSeq: 'BIGINT', _malformed: 'STRUCT(bytes BIGINT, answer VARCHAR)'})
WHERE _malformed IS NOT NULL ORDER BY GroupId, MsgSeq;
