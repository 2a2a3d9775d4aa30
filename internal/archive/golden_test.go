package archive_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/testdata"
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
		Trails:   archive.Trails{Media: &archive.Pin{Lo: 41, SHA256: hash("receipt")}},
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
		Format: 1, Frontier: 301, After: 201, ManifestAfter: &archive.Pin{Lo: 101, SHA256: hash("manifest")}, Head: 300, Status: archive.StatusRunning,
		Error: &archive.StateError{Code: "chat-60007", Text: "too many calls <&>", At: moment(3), Frontier: 301},
		Media: &archive.TrailHint{
			Frontier: 117, After: &archive.Pin{Lo: 101, SHA256: hash("receipt")}, Manifest: 101, Due: moment(40), Code: "AccessDenied", At: moment(4),
		},
		Lease: &archive.Lease{Owner: "0a1b", Until: moment(59)},
		Counters: archive.Counters{
			Batches: 2, Pages: 10, Calls: 11, Chunks: 2, Counts: archive.Counts{Messages: 95, Expired: 100}, RawBytes: 30000, Bytes: 4023, Unlisted: 2,
		},
		UpdatedAt: moment(5),
	}
}

// golden returns what an object of that kind is, byte for byte.
func golden(tb testing.TB, kind string) string {
	tb.Helper()
	body, err := fs.ReadFile(testdata.Golden(), kind+".json")
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

func TestObject_IsGoldenAndReadBack(t *testing.T) {
	t.Parallel()
	check := func(name string, value any, body []byte, err error, parse func([]byte) (any, error)) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if diff := cmp.Diff(golden(t, name), string(body)); diff != "" {
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
	check("genesis", genesis(), body, err, func(b []byte) (any, error) { return archive.ParseGenesis(b) })
	body, err = manifest().Encode()
	check("manifest", manifest(), body, err, func(b []byte) (any, error) { return archive.ParseManifest(b) })
	body, err = state().Encode()
	check("state", state(), body, err, func(b []byte) (any, error) { return archive.ParseState(b) })
	if genesis().Stream() != topic || manifest().Stream() != group {
		t.Error("the objects name other streams")
	}
}

func TestObject_TimesAreUTC(t *testing.T) {
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
	if string(body) != golden(t, "state") {
		t.Errorf("got %s", body)
	}
	if s.Lease.Until != until {
		t.Error("Encode changed what it was given")
	}
}
