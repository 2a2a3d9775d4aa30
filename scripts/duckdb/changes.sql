-- Queries over an archive and what looks found in it, as the README shows them. The test replaces the folders by its own.

-- the present state of every message: what is archived, with what was found since
SELECT gid, tid, seq, coalesce(kind, 'same') AS state, coalesce(now.From_Account, From_Account) AS sender,
  make_timestamp(coalesce(now.MsgTimeStamp, MsgTimeStamp) * 1000000) AS sent,
  array_to_string(if(kind IN ('edited', 'found'), now.MsgBody, MsgBody)->>'$[*].MsgContent.Text', ' ') AS text
FROM (SELECT gid, tid, MsgSeq AS seq, From_Account, MsgTimeStamp, MsgBody
  FROM read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
    hive_types_autocast=false, columns={MsgSeq: 'BIGINT', From_Account: 'VARCHAR', MsgTimeStamp: 'BIGINT', MsgBody: 'JSON'})
  WHERE MsgSeq IS NOT NULL) AS archived
FULL JOIN (SELECT gid, tid, seq, kind, now
  FROM read_json('chatexport-demo/chat-archive-1250000000/change/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
    hive_types_autocast=false,
    columns={seq: 'BIGINT', kind: 'VARCHAR', now: 'STRUCT(From_Account VARCHAR, MsgTimeStamp BIGINT, MsgBody JSON)'})
  WHERE seq IS NOT NULL) AS change USING (gid, tid, seq)
ORDER BY gid, tid, seq;

-- Parquet files, in a folder for each day (UTC)
COPY (SELECT *, coalesce(strftime(make_timestamp(MsgTimeStamp * 1000000), '%Y-%m-%d'), 'undated') AS day
  FROM read_json('chatexport-demo/chat-archive-1250000000/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true,
    hive_types_autocast=false, columns={GroupId: 'VARCHAR', TopicId: 'VARCHAR', MsgSeq: 'BIGINT', From_Account: 'VARCHAR',
    MsgTimeStamp: 'BIGINT', IsPlaceMsg: 'INTEGER', IsSystemMsg: 'INTEGER', MsgBody: 'JSON', CloudCustomData: 'VARCHAR'})
  WHERE MsgSeq IS NOT NULL)
TO 'chat-parquet' (FORMAT parquet, PARTITION_BY (day), OVERWRITE_OR_IGNORE);
