package archive_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
)

var (
	group = chat.Stream{GroupID: "@TGS#<a>"}
	topic = chat.Stream{GroupID: "@TGS#_a", TopicID: "@TGS#_a@TOPIC#_b"}
)

func unzip(tb testing.TB, body []byte) string {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func hash(b string) string {
	sum := sha256.Sum256([]byte(b))
	return hex.EncodeToString(sum[:])
}

func TestChunk_IsGolden(t *testing.T) {
	t.Parallel()
	chunk := archivetest.Chunk(t, group, 11, 20, append(archivetest.Elements(t,
		`{"MsgSeq":11,"MsgTimeStamp":1700000009,"MsgBody":[{"MsgContent":{"Text":"a <b> & \u2028 \ud83d\ude00"},"MsgType":"TIMTextElem"}]}`,
		`{"From_Account":"@TIM#SYSTEM","IsSystemMsg":1,"MsgSeq":12,"MsgTimeStamp":1700000003,"MsgBody":{"OpType":1}}`,
		`{"MsgSeq":13,"IsPlaceMsg":1,"MsgTimeStamp":0}`,
		`{"MsgSeq":15,"IsPlaceMsg":2,"GroupId":"own","x":1.0000000000000001}`,
		"{ \"MsgSeq\" : 16, \"a\":\"\xff\"}",
		`{"MsgSeq":18,"TopicId":"own","MsgBody":[{"MsgType":"TIMSoundElem"}]}`,
	), chat.NewMalformed(19, []byte("{\"ActionStatus\":\n")))...)
	const want = `{"GroupId":"@TGS#<a>","MsgSeq":11,"MsgTimeStamp":1700000009,"MsgBody":[{"MsgContent":{"Text":"a <b> & \u2028 \ud83d\ude00"},"MsgType":"TIMTextElem"}]}
{"GroupId":"@TGS#<a>","From_Account":"@TIM#SYSTEM","IsSystemMsg":1,"MsgSeq":12,"MsgTimeStamp":1700000003,"MsgBody":{"OpType":1}}
{"GroupId":"@TGS#<a>","MsgSeq":13,"IsPlaceMsg":1,"MsgTimeStamp":0}
{"MsgSeq":15,"IsPlaceMsg":2,"GroupId":"own","x":1.0000000000000001}
{"GroupId":"@TGS#<a>","MsgSeq":16,"a":"` + "\uFFFD" + `"}
{"GroupId":"@TGS#<a>","MsgSeq":18,"TopicId":"own","MsgBody":[{"MsgType":"TIMSoundElem"}]}
{"GroupId":"@TGS#<a>","MsgSeq":19,"_malformed":{"bytes":17,"answer":"eyJBY3Rpb25TdGF0dXMiOgo="}}
`
	if diff := cmp.Diff(want, unzip(t, chunk.Body)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	wantMeta := map[string]string{
		"format": "1", "lo": "11", "hi": "20",
		"messages": "3", "system": "1", "recalled": "1", "placeholders": "1", "malformed": "1", "expired": "0", "absent": "3", "repaired": "1", "links": "1",
		"ts-min": "1700000003", "ts-max": "1700000009", "other-ids": "1",
		"raw-bytes": strconv.Itoa(len(want)), "raw-sha256": hash(want), "sha256": hash(string(chunk.Body)),
		"run": "20240102T083000Z-1f2e3d4c", "request-id": "request-1", "writer": "writer-1",
	}
	if diff := cmp.Diff(wantMeta, chunk.Meta.Metadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if chunk.Stream != group {
		t.Errorf("stream is %v", chunk.Stream)
	}
}

func TestLine_OfATopicNamesBothIDs(t *testing.T) {
	t.Parallel()
	chunk := archivetest.Chunk(t, topic, 1, 4, archivetest.Elements(t,
		`{"MsgSeq":1}`, `{"MsgSeq":2,"GroupId":"own"}`, `{"MsgSeq":3,"TopicId":"own"}`, `{"MsgSeq":4,"TopicId":"own","GroupId":"own"}`)...)
	const want = `{"GroupId":"@TGS#_a","TopicId":"@TGS#_a@TOPIC#_b","MsgSeq":1}
{"TopicId":"@TGS#_a@TOPIC#_b","MsgSeq":2,"GroupId":"own"}
{"GroupId":"@TGS#_a","MsgSeq":3,"TopicId":"own"}
{"MsgSeq":4,"TopicId":"own","GroupId":"own"}
`
	if diff := cmp.Diff(want, unzip(t, chunk.Body)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestChunk_GzipHeaderHasNothingButItsMagic(t *testing.T) {
	t.Parallel()
	for _, chunk := range []archive.Chunk{archivetest.Chunk(t, group, 1, 1), archivetest.Chunk(t, group, 1, 1, archivetest.Elements(t, `{"MsgSeq":1}`)...)} {
		if want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}; !bytes.Equal(chunk.Body[:10], want) {
			t.Errorf("header is %x, want %x", chunk.Body[:10], want)
		}
	}
}

func TestChunk_DoesNotDependOnHowItWasAppended(t *testing.T) {
	t.Parallel()
	elements := benchElements(t, 6000)
	whole := archivetest.Chunk(t, group, 1, 6000, elements...)
	random := rand.New(rand.NewPCG(3, 4))
	w := archive.NewChunkWriter(group, 1)
	for hi := 0; hi < 6000; {
		next := min(hi+1+random.IntN(400), 6000)
		if err := w.Append(chat.Seq(next), elements[hi:next]); err != nil {
			t.Fatal(err)
		}
		hi = next
		if w.Hi() != chat.Seq(hi) {
			t.Fatalf("Hi is %d, want %d", w.Hi(), hi)
		}
	}
	pieces, err := w.Close("20240102T083000Z-1f2e3d4c", "request-1", "writer-1")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(whole.Body, pieces.Body) || whole.Meta != pieces.Meta {
		t.Errorf("the same elements gave other bytes: %+v and %+v", whole.Meta, pieces.Meta)
	}
}

func TestChunk_SizeFollowsTheObject(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	w := archive.NewChunkWriter(group, 1)
	for seq := chat.Seq(1); seq <= 400; seq++ {
		noise := make([]byte, 4096)
		for i := range noise {
			noise[i] = byte('0' + random.IntN(64))
		}
		text := strings.ReplaceAll(string(noise), `\`, "~")
		if err := w.Append(seq, archivetest.Elements(t, `{"MsgSeq":`+strconv.Itoa(int(seq))+`,"a":"`+text+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	size := w.Size()
	chunk, err := w.Close("r", "q", "w")
	if err != nil {
		t.Fatal(err)
	}
	if held := int64(len(chunk.Body)) - size; held < 0 || held > 128<<10 || size < 1<<20 {
		t.Errorf("Size said %d of %d bytes", size, len(chunk.Body))
	}
	if len(chunk.Body) != cap(chunk.Body) {
		t.Errorf("the body of %d bytes holds %d", len(chunk.Body), cap(chunk.Body))
	}
}

func TestAppend_RefusesWhatWouldBreakTheChain(t *testing.T) {
	t.Parallel()
	seqs := func(list ...chat.Seq) []chat.Element {
		elements := make([]chat.Element, len(list))
		for i, seq := range list {
			elements[i] = chat.Element{Seq: seq, JSON: []byte(`{"MsgSeq":1}`)}
		}
		return elements
	}
	for name, test := range map[string]struct {
		stream   chat.Stream
		lo, hi   chat.Seq
		elements []chat.Element
	}{
		"invalid stream": {chat.Stream{}, 11, 30, nil},
		"lo 0":           {group, 0, 30, nil},
		"hi too large":   {group, 11, chat.MaxSeq + 1, nil},
		"hi steps back":  {group, 11, 19, nil},
		"covered before": {group, 11, 30, seqs(20)},
		"above hi":       {group, 11, 30, seqs(21, 31)},
		"twice":          {group, 11, 30, seqs(21, 21)},
		"descending":     {group, 11, 30, seqs(22, 21)},
		"no JSON":        {group, 11, 30, []chat.Element{{Seq: 21}}},
		"empty object":   {group, 11, 30, []chat.Element{{Seq: 21, JSON: []byte("{}")}}},
		"huge line":      {group, 11, 30, []chat.Element{{Seq: 21, JSON: append([]byte(`{"`), make([]byte, archive.MaxLineBytes)...)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := archive.NewChunkWriter(test.stream, test.lo)
			first := w.Append(20, nil)
			if test.stream == group && test.lo > 0 && first != nil {
				t.Fatal(first)
			}
			if err := w.Append(test.hi, test.elements); !errors.Is(err, archive.ErrInvalid) {
				t.Fatalf("error is %v", err)
			}
			if first != nil {
				return
			}
			chunk, err := w.Close("r", "q", "w")
			if err != nil {
				t.Fatal(err)
			}
			if chunk.Meta.Hi != 20 || chunk.Meta.Absent != 10 || chunk.Meta.RawBytes != 0 {
				t.Errorf("something was appended: %+v", chunk.Meta)
			}
		})
	}
}

func TestClose_RefusesAnEmptyRange(t *testing.T) {
	t.Parallel()
	w := archive.NewChunkWriter(group, 5)
	if w.Hi() != 4 || w.Size() != 0 {
		t.Errorf("a new writer is at %d with %d bytes", w.Hi(), w.Size())
	}
	if _, err := w.Close("r", "q", "w"); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
}

func TestClose_TakesAnyRequestIDAndNoOddRun(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"": "-", "a b\n猫": "a_b____", strings.Repeat("x", 500): strings.Repeat("x", 128),
	} {
		w := archive.NewChunkWriter(group, 1)
		if err := w.Append(1, nil); err != nil {
			t.Fatal(err)
		}
		chunk, err := w.Close("r", id, "w")
		if err != nil || chunk.Meta.RequestID != want {
			t.Errorf("%q became %q, error %v", id, chunk.Meta.RequestID, err)
		}
	}
	for _, pair := range [][2]string{{"", "w"}, {"r", ""}, {"r\r\nx: y", "w"}, {"r", "猫"}, {strings.Repeat("r", 129), "w"}} {
		w := archive.NewChunkWriter(group, 1)
		if err := w.Append(1, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(pair[0], "q", pair[1]); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%q: error is %v", pair, err)
		}
	}
}

func TestChunk_OfAnExpiredRangeIsEmptyAndSaysWhy(t *testing.T) {
	t.Parallel()
	chunk, err := archive.NewExpiredChunk(topic, 2, chat.MaxSeq, archive.EvidenceProbe, "r", "q", "w")
	if err != nil {
		t.Fatal(err)
	}
	if got := unzip(t, chunk.Body); got != "" {
		t.Errorf("it holds %q", got)
	}
	md := chunk.Meta.Metadata()
	if md["evidence"] != "probe" || md["expired"] != "4294967294" || md["absent"] != "0" || md["ts-min"] != "" || md["raw-sha256"] != hash("") {
		t.Errorf("metadata are %v", md)
	}
	if _, ok := md["ts-max"]; ok {
		t.Error("ts-max of nothing")
	}
	for _, evidence := range []string{"", archive.EvidenceNone, "guess"} {
		if _, err := archive.NewExpiredChunk(topic, 2, 3, evidence, "r", "q", "w"); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("evidence %q: error is %v", evidence, err)
		}
	}
	if _, err := archive.NewExpiredChunk(topic, 3, 2, archive.EvidenceProbe, "r", "q", "w"); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("an empty range: error is %v", err)
	}
}
