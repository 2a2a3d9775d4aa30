package archive_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
)

func TestReadChunk_FindsWhatWasWritten(t *testing.T) {
	t.Parallel()
	elements := benchElements(t, 3000)
	elements = append(elements, archivetest.Elements(t, `{"MsgSeq":3500,"IsPlaceMsg":2}`, `{"MsgSeq":3600,"Data":"`+strings.Repeat("long ", 100_000)+`"}`, `{"MsgSeq":3601}`)...)
	elements = append(elements, chat.NewMalformed(3700, []byte("{")))
	chunk := archivetest.Chunk(t, topic, 1, 4000, elements...)
	var seqs []chat.Seq
	content, err := archive.ReadChunk(iotest.HalfReader(bytes.NewReader(chunk.Body)), topic, 1, 4000, func(e chat.Element) error {
		seqs = append(seqs, e.Seq)
		if e.Time != elements[len(seqs)-1].Time {
			t.Errorf("seq %d has the time %d", e.Seq, e.Time)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seqs) != 3004 || seqs[0] != 1 || seqs[3002] != 3601 {
		t.Errorf("%d elements were visited", len(seqs))
	}
	want := archive.Content{
		Counts: archive.Counts{Messages: 3002, Recalled: 1, Malformed: 1}, First: 1, Last: 3700,
		TsMin: chunk.Meta.TsMin, TsMax: chunk.Meta.TsMax, RawBytes: chunk.Meta.RawBytes,
		RawSHA256: chunk.Meta.RawSHA256, SHA256: chunk.Meta.SHA256, Bytes: int64(len(chunk.Body)),
	}
	if diff := cmp.Diff(want, content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if err := content.Check(chunk.Meta); err != nil {
		t.Error(err)
	}
}

func TestReadChunk_TakesAnEmptyChunk(t *testing.T) {
	t.Parallel()
	chunk := archivetest.Chunk(t, group, 1, 7)
	content, err := archive.ReadChunk(bytes.NewReader(chunk.Body), group, 1, 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := content.Check(chunk.Meta); err != nil {
		t.Error(err)
	}
}

// zipped compresses lines with the standard library, which the reader must take as well.
func zipped(tb testing.TB, header gzip.Header, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	w.Header = header
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestReadChunk_RefusesWhatIsNotFormat1(t *testing.T) {
	t.Parallel()
	const line = `{"GroupId":"g","MsgSeq":5}` + "\n"
	good := zipped(t, gzip.Header{OS: 255}, line)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6]++
	text := func(lines ...string) []byte { return zipped(t, gzip.Header{}, strings.Join(lines, "")) }
	if _, err := archive.ReadChunk(bytes.NewReader(good), group, 1, 9, nil); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, body := range map[string][]byte{
		"empty":            nil,
		"short":            good[:5],
		"not gzip":         []byte(line),
		"name":             zipped(t, gzip.Header{Name: "x"}, line),
		"comment":          zipped(t, gzip.Header{Comment: "x"}, line),
		"extra":            zipped(t, gzip.Header{Extra: []byte("x")}, line),
		"time":             zipped(t, gzip.Header{ModTime: time.Unix(1, 0)}, line),
		"two members":      append(bytes.Clone(good), text(`{"GroupId":"g","MsgSeq":6}`+"\n")...),
		"empty member":     append(bytes.Clone(good), text()...),
		"trailing zero":    append(bytes.Clone(good), 0),
		"truncated":        good[:len(good)-1],
		"bad checksum":     flipped,
		"no end of line":   text(strings.TrimSpace(line)),
		"empty line":       text(line, "\n"),
		"only a line end":  text("\n"),
		"blank line":       text(" \n"),
		"crlf":             text(`{"GroupId":"g","MsgSeq":5}` + "\r\n"),
		"space":            text(`{"GroupId":"g", "MsgSeq":5}` + "\n"),
		"two elements":     text(`{"GroupId":"g","MsgSeq":5}{"GroupId":"g","MsgSeq":6}` + "\n"),
		"array":            text("[]\n"),
		"not UTF-8":        text("{\"GroupId\":\"g\",\"MsgSeq\":5,\"a\":\"\xff\"}\n"),
		"no GroupId":       text(`{"MsgSeq":5}` + "\n"),
		"no MsgSeq":        text(`{"GroupId":"g"}` + "\n"),
		"twice":            text(line, line),
		"descending":       text(line, `{"GroupId":"g","MsgSeq":4}`+"\n"),
		"below lo":         text(`{"GroupId":"g","MsgSeq":1}` + "\n"),
		"above hi":         text(`{"GroupId":"g","MsgSeq":10}` + "\n"),
		"secret not shown": text(`{"GroupId":"g","MsgSeq":5,"a":secret}` + "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := archive.ReadChunk(bytes.NewReader(body), group, 2, 9, nil)
			if !errors.Is(err, archive.ErrInvalid) {
				t.Fatalf("error is %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats content: %v", err)
			}
		})
	}
	if _, err := archive.ReadChunk(bytes.NewReader(good), topic, 2, 9, nil); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("a line without TopicId in a topic's chunk: error is %v", err)
	}
}

func TestReadChunk_BoundsALine(t *testing.T) {
	t.Parallel()
	body := zipped(t, gzip.Header{}, `{"GroupId":"g","MsgSeq":5,"a":"`+strings.Repeat("x", archive.MaxLineBytes)+"\"}\n")
	if _, err := archive.ReadChunk(bytes.NewReader(body), group, 1, 9, nil); !errors.Is(err, archive.ErrInvalid) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("error is %v", err)
	}
}

func TestReadChunk_TakesTheLongestLineThatIsWritten(t *testing.T) {
	t.Parallel()
	fixed := len(`{"GroupId":"@TGS#<a>","MsgSeq":1,"a":""}` + "\n")
	chunk := archivetest.Chunk(t, group, 1, 1, archivetest.Elements(t, `{"MsgSeq":1,"a":"`+strings.Repeat("x", archive.MaxLineBytes-fixed)+`"}`)...)
	if chunk.Meta.RawBytes != archive.MaxLineBytes {
		t.Fatalf("the line has %d bytes", chunk.Meta.RawBytes)
	}
	if _, err := archive.ReadChunk(bytes.NewReader(chunk.Body), group, 1, 1, nil); err != nil {
		t.Error(err)
	}
}

func TestReadChunk_TellsAFailedReadFromABadChunk(t *testing.T) {
	t.Parallel()
	chunk := archivetest.Chunk(t, group, 1, 3000, benchElements(t, 3000)...)
	broken := errors.New("connection reset")
	for _, n := range []int{0, 5, 10, 500, len(chunk.Body) - 1, len(chunk.Body)} {
		r := io.MultiReader(bytes.NewReader(chunk.Body[:n]), iotest.ErrReader(broken))
		_, err := archive.ReadChunk(r, group, 1, 3000, nil)
		if !errors.Is(err, broken) || errors.Is(err, archive.ErrInvalid) {
			t.Errorf("after %d bytes: error is %v", n, err)
		}
	}
	if _, err := archive.ReadChunk(bytes.NewReader(chunk.Body), group, 1, 3000, func(chat.Element) error { return broken }); err != broken { //nolint:errorlint // it must be the very same error
		t.Errorf("error of visit came back as %v", err)
	}
}

func TestReadChunk_CheckFindsEveryDifference(t *testing.T) {
	t.Parallel()
	chunk := archivetest.Chunk(t, group, 5, 20, archivetest.Elements(t, `{"MsgSeq":6,"MsgTimeStamp":17}`, `{"MsgSeq":12,"IsPlaceMsg":1}`)...)
	content, err := archive.ReadChunk(bytes.NewReader(chunk.Body), group, 5, 20, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*archive.ChunkMeta){
		"sha256":     func(m *archive.ChunkMeta) { m.SHA256 = hash("x") },
		"raw sha256": func(m *archive.ChunkMeta) { m.RawSHA256 = hash("x") },
		"raw bytes":  func(m *archive.ChunkMeta) { m.RawBytes++ },
		"counts":     func(m *archive.ChunkMeta) { m.Messages, m.Recalled = 0, 1 },
		"ts-min":     func(m *archive.ChunkMeta) { m.TsMin-- },
		"ts-max":     func(m *archive.ChunkMeta) { m.TsMax++ },
		"other ids":  func(m *archive.ChunkMeta) { m.OtherIDs = 1 },
		"lo":         func(m *archive.ChunkMeta) { m.Lo = 7 },
		"hi":         func(m *archive.ChunkMeta) { m.Hi = 11 },
	} {
		meta := chunk.Meta
		change(&meta)
		if err := content.Check(meta); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
