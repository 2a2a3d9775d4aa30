package archive_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// fuzzObject proves that whatever is accepted is written again with the same meaning, always as the same bytes, and never
// as more than is read back.
func fuzzObject[T interface{ Encode() ([]byte, error) }](f *testing.F, key string, seed T, parse func([]byte) (T, error)) {
	f.Helper()
	body, err := seed.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`{"format":1,"chunks":[` + strings.Repeat("{},", archive.MaxManifestChunks) + `{}],"error":{"text":"` + strings.Repeat("\u2028", 9000) + `"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := parse(body)
		if err != nil {
			if errors.Is(err, archive.ErrFormat) == errors.Is(err, archive.ErrInvalid) {
				t.Fatalf("error is %v", err)
			}
			return
		}
		encoded, err := first.Encode()
		if err != nil {
			t.Fatalf("what was accepted cannot be written: %v", err)
		}
		if most := layout.MaxBytes(key); int64(len(encoded)) > most {
			t.Fatalf("%d bytes became %d, and at most %d are read", len(body), len(encoded), most)
		}
		second, err := parse(encoded)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		again, err := second.Encode()
		if err != nil || !bytes.Equal(encoded, again) {
			t.Fatalf("%v: got\n%s\nthen\n%s", err, encoded, again)
		}
	})
}

func FuzzParseGenesis(f *testing.F) {
	fuzzObject(f, layout.Genesis(group), genesis(), archive.ParseGenesis)
}

func FuzzParseManifest(f *testing.F) {
	fuzzObject(f, layout.Manifest(group, 101), manifest(), archive.ParseManifest)
}

func FuzzParseState(f *testing.F) { fuzzObject(f, layout.State(group), state(), archive.ParseState) }

// FuzzParseChunkMeta proves that what is accepted is what Metadata returns.
func FuzzParseChunkMeta(f *testing.F) {
	for _, m := range []archive.ChunkMeta{meta(1, 100), expired(5, 9)} {
		md := m.Metadata()
		f.Add(md["lo"], md["hi"], md["messages"], md["expired"], md["absent"], md["ts-min"], md["ts-max"], md["raw-bytes"], md["raw-sha256"], md["run"], md["evidence"])
	}
	f.Fuzz(func(t *testing.T, lo, hi, messages, expired, absent, tsMin, tsMax, rawBytes, rawSHA256, run, evidence string) {
		md := meta(1, 100).Metadata()
		for name, value := range map[string]string{
			"lo": lo, "hi": hi, "messages": messages, "expired": expired, "absent": absent, "ts-min": tsMin, "ts-max": tsMax,
			"raw-bytes": rawBytes, "raw-sha256": rawSHA256, "run": run, "evidence": evidence,
		} {
			md[name] = value
			if value == "" {
				delete(md, name)
			}
		}
		m, err := archive.ParseChunkMeta(md)
		if err != nil {
			return
		}
		if diff := cmp.Diff(md, m.Metadata()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if m.Sum() != int64(m.Hi-m.Lo+1) {
			t.Errorf("%+v does not sum up", m)
		}
	})
}

// FuzzReadChunk proves that no object, however damaged, makes the reader fail in another way than it promises.
func FuzzReadChunk(f *testing.F) {
	f.Add(archivetest.Chunk(f, group, 1, 20, archivetest.Elements(f, `{"MsgSeq":3}`, `{"MsgSeq":5,"IsPlaceMsg":2}`)...).Body)
	f.Add(zipped(f, gzip.Header{OS: 255}, `{"GroupId":"g","MsgSeq":5}`+"\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		last := chat.Seq(0)
		content, err := archive.ReadChunk(bytes.NewReader(body), group, 1, 20, func(e chat.Element) error {
			if e.Seq <= last || e.Seq > 20 {
				t.Errorf("seq %d follows %d", e.Seq, last)
			}
			last = e.Seq
			return nil
		})
		if err != nil {
			if !errors.Is(err, archive.ErrInvalid) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if content.Bytes != int64(len(body)) || content.Last != last || content.SHA256 != hash(string(body)) {
			t.Errorf("content is %+v", content)
		}
	})
}
