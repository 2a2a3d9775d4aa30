package archive_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
)

func moment(second int) time.Time { return time.Date(2026, 11, 22, 8, 30, second, 250e6, time.UTC) }

func genesis() archive.Genesis {
	return archive.Genesis{
		Format: 1, SDKAppID: 1400000001, GroupID: topic.GroupID, TopicID: topic.TopicID, CreateTime: 1650000000, FirstLo: 101, Head: 5000,
		ExpiredBelow: archive.ExpiredBelow{Seq: 101, Evidence: archive.EvidenceFinished, Probes: 9}, CreatedAt: moment(1),
	}
}

func manifest() archive.Manifest {
	m := archive.Manifest{
		Format: 1, SDKAppID: 1400000001, GroupID: group.GroupID, Head: 300, Status: archive.StatusComplete, StartedAt: moment(0), FinishedAt: moment(9),
		Run: "20261122T083000Z-0a1b2c3d", ExpiredBelow: archive.ExpiredBelow{Seq: 1, Evidence: archive.EvidenceNone},
		Previous: archive.Link{Key: layout.Genesis(group), SHA256: hash("genesis")},
	}
	m.SetChunks([]archive.ChunkEntry{
		archive.ChunkEntryOf(expired(101, 200), layout.Chunk(group, 101), 23, 1<<63),
		archive.ChunkEntryOf(meta(201, 300), layout.Chunk(group, 201), 4000, 7),
	})
	return m
}

func state() archive.State {
	return archive.State{
		Format: 1, Frontier: 301, After: 201, ManifestAfter: &archive.ManifestHint{Lo: 101, SHA256: hash("manifest")}, Head: 300, Status: archive.StatusRunning,
		Error: &archive.StateError{Code: "chat-60007", Text: "too many calls <&>", At: moment(3), Frontier: 301},
		Lease: &archive.Lease{Owner: "0a1b", Until: moment(59)},
		Counters: archive.Counters{
			Batches: 2, Pages: 10, Calls: 11, Chunks: 2, Counts: archive.Counts{Messages: 95, Expired: 100}, RawBytes: 30000, Bytes: 4023, Unlisted: 2,
		},
		UpdatedAt: moment(5),
	}
}

const goldenGenesis = `{
  "format": 1,
  "sdkappid": 1400000001,
  "group_id": "@TGS#_a",
  "topic_id": "@TGS#_a@TOPIC#_b",
  "create_time": 1650000000,
  "first_lo": 101,
  "head": 5000,
  "expired_below": {
    "seq": 101,
    "evidence": "finished",
    "probes": 9
  },
  "created_at": "2026-11-22T08:30:01.25Z"
}
`

const goldenState = `{
  "format": 1,
  "frontier": 301,
  "after": 201,
  "manifest_after": {
    "lo": 101,
    "sha256": "05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
  },
  "head": 300,
  "status": "running",
  "error": {
    "code": "chat-60007",
    "text": "too many calls <&>",
    "at": "2026-11-22T08:30:03.25Z",
    "frontier": 301
  },
  "lease": {
    "owner": "0a1b",
    "until": "2026-11-22T08:30:59.25Z"
  },
  "counters": {
    "batches": 2,
    "pages": 10,
    "calls": 11,
    "chunks": 2,
    "messages": 95,
    "system": 0,
    "recalled": 0,
    "placeholders": 0,
    "expired": 100,
    "absent": 0,
    "repaired": 0,
    "raw_bytes": 30000,
    "bytes": 4023,
    "unlisted": 2
  },
  "updated_at": "2026-11-22T08:30:05.25Z"
}
`

const goldenManifest = `{
  "format": 1,
  "sdkappid": 1400000001,
  "group_id": "@TGS#<a>",
  "topic_id": "",
  "lo": 101,
  "hi": 300,
  "head": 300,
  "status": "complete",
  "started_at": "2026-11-22T08:30:00.25Z",
  "finished_at": "2026-11-22T08:30:09.25Z",
  "run": "20261122T083000Z-0a1b2c3d",
  "expired_below": {
    "seq": 1,
    "evidence": "none",
    "probes": 0
  },
  "totals": {
    "chunks": 2,
    "messages": 95,
    "system": 1,
    "recalled": 1,
    "placeholders": 1,
    "expired": 100,
    "absent": 2,
    "repaired": 1,
    "raw_bytes": 30000,
    "bytes": 4023,
    "ts_min": 1700000201,
    "ts_max": 1700000300
  },
  "chunks": [
    {
      "format": 1,
      "lo": 101,
      "hi": 200,
      "messages": 0,
      "system": 0,
      "recalled": 0,
      "placeholders": 0,
      "expired": 100,
      "absent": 0,
      "repaired": 0,
      "raw_bytes": 0,
      "raw_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "sha256": "2e1cfa82b035c26cbbbdae632cea070514eb8b773f616aaeaf668e2f0be8f10d",
      "run": "20261122T083000Z-0a1b2c3d",
      "request_id": "-",
      "writer": "w1",
      "evidence": "finished",
      "key": "data/gid=.40TGS.23.3ca.3e/tid=-/0000000101.ndjson.gz",
      "bytes": 23,
      "crc64": "9223372036854775808"
    },
    {
      "format": 1,
      "lo": 201,
      "hi": 300,
      "messages": 95,
      "system": 1,
      "recalled": 1,
      "placeholders": 1,
      "expired": 0,
      "absent": 2,
      "repaired": 1,
      "ts_min": 1700000201,
      "ts_max": 1700000300,
      "raw_bytes": 30000,
      "raw_sha256": "RAW",
      "sha256": "OBJECT",
      "run": "20261122T083000Z-0a1b2c3d",
      "request_id": "req-1",
      "writer": "w1",
      "key": "data/gid=.40TGS.23.3ca.3e/tid=-/0000000201.ndjson.gz",
      "bytes": 4000,
      "crc64": "7"
    }
  ],
  "previous": {
    "key": "manifest/gid=.40TGS.23.3ca.3e/tid=-/genesis.json",
    "sha256": "GENESIS"
  }
}
`

func TestObjectsAreGoldenAndReadBack(t *testing.T) {
	t.Parallel()
	check := func(name, golden string, value any, body []byte, err error, parse func([]byte) (any, error)) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if diff := cmp.Diff(golden, string(body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, body); err != nil {
			t.Fatal(err)
		}
		// Members of a later version of format 1 are no reason to refuse.
		later := strings.Replace(string(body), "{", `{"later":{"x":[1]},`, 1)
		for _, text := range []string{string(body), compact.String(), later} {
			got, err := parse([]byte(text))
			if diff := cmp.Diff(value, got); err != nil || diff != "" {
				t.Errorf("%s read back: %v (-want +got):\n%s", name, err, diff)
			}
		}
	}
	body, err := genesis().Encode()
	check("genesis", goldenGenesis, genesis(), body, err, func(b []byte) (any, error) { return archive.ParseGenesis(b) })
	golden := strings.NewReplacer("RAW", hash("raw"), "OBJECT", hash("object"), "GENESIS", hash("genesis")).Replace(goldenManifest)
	body, err = manifest().Encode()
	check("manifest", golden, manifest(), body, err, func(b []byte) (any, error) { return archive.ParseManifest(b) })
	body, err = state().Encode()
	check("state", goldenState, state(), body, err, func(b []byte) (any, error) { return archive.ParseState(b) })
	if genesis().Stream() != topic || manifest().Stream() != group {
		t.Error("the objects name other streams")
	}
}

func TestEncodeBringsTimesToUTC(t *testing.T) {
	t.Parallel()
	s := state()
	east := time.FixedZone("east", 8*3600)
	s.UpdatedAt = s.UpdatedAt.In(east).Add(999 * time.Microsecond)
	s.Lease = &archive.Lease{Owner: "0a1b", Until: s.Lease.Until.In(east)}
	s.Error.At = s.Error.At.In(east)
	until := s.Lease.Until
	body, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(body) != goldenState {
		t.Errorf("got %s", body)
	}
	if s.Lease.Until != until {
		t.Error("Encode changed what it was given")
	}
}
