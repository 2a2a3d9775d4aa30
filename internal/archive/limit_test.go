package archive_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// longest is a stream whose ids take as many bytes as they can, in keys and in JSON.
func longest() chat.Stream {
	return chat.Stream{GroupID: strings.Repeat("\x01", 128), TopicID: strings.Repeat("\x02", 128)}
}

// What the program may write, it reads back: the longest objects fit their limits, and these are not far above.
func TestLimits_FitTheLongestObjects(t *testing.T) {
	t.Parallel()
	s, word := longest(), strings.Repeat(`"`, 128)
	m := manifest()
	m.GroupID, m.TopicID, m.Previous.Key = s.GroupID, s.TopicID, layout.Genesis(s)
	m.Run, m.Build = word, word
	var chunks []archive.ChunkEntry
	const span = 1_000_000
	for i := range archive.MaxManifestChunks {
		lo := chat.Seq(1_000_000_000 + span*i)
		of := meta(lo, lo+span-1)
		of.TsMin, of.TsMax, of.Expired, of.Messages, of.OtherIDs = 1<<62, 1<<63-1, of.Messages/2, of.Messages-of.Messages/2, span/10
		of.RawBytes, of.Run, of.RequestID, of.Writer, of.Evidence = 1<<41, word, word, word, archive.EvidenceFinished
		chunks = append(chunks, archive.ChunkEntryOf(of, layout.Chunk(s, lo), 1<<40, 1<<64-1))
	}
	m.SetChunks(chunks)
	m.Head = m.Hi
	g := genesis()
	g.GroupID, g.TopicID = s.GroupID, s.TopicID
	st := state()
	at := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	st.Error = &archive.StateError{Code: strings.Repeat("\x01", 1000), Text: strings.Repeat("\x01", 1<<20), At: at}
	st.Lease = &archive.Lease{Owner: word, Until: at}
	for key, object := range map[string]interface{ Encode() ([]byte, error) }{layout.Genesis(s): g, layout.Manifest(s, m.Lo): m, layout.State(s): st} {
		body, err := object.Encode()
		if err != nil {
			t.Fatalf("%s: %v", key[:8], err)
		}
		if most := layout.MaxBytes(key); int64(len(body)) > most || key == layout.Manifest(s, m.Lo) && int64(len(body)) < most/3 {
			t.Errorf("%s: the longest has %d bytes, the limit is %d", key[:8], len(body), most)
		}
	}
}

// A manifest of 6 MB took the engine to 1.48 GB: a few bytes of JSON can make an entry of hundreds in memory. It is not
// parallel: it measures what everybody allocates.
func TestManifest_OfVeryManyEntriesTakesLittleMemory(t *testing.T) {
	body := []byte(`{"format":1,"chunks":[{}` + strings.Repeat(",{}", int(layout.MaxBytes(layout.Manifest(group, 1)))/3) + `]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := archive.ParseManifest(body)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(4*len(body)) {
		t.Errorf("%d bytes took %d", len(body), took)
	}
}
