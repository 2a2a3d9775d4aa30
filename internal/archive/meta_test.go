package archive_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// meta is a chunk's description with something in every field that a chunk with lines has.
func meta(lo, hi chat.Seq) archive.ChunkMeta {
	n := int64(hi - lo + 1)
	return archive.ChunkMeta{
		Format: 1, Lo: lo, Hi: hi,
		Counts: archive.Counts{Messages: n - 6, System: 1, Recalled: 1, Placeholders: 1, Malformed: 1, Absent: 2, Repaired: 1},
		TsMin:  1700000000 + int64(lo), TsMax: 1700000000 + int64(hi), RawBytes: 300 * n, RawSHA256: hash("raw"), SHA256: hash("object"),
		Run: "20261122T083000Z-0a1b2c3d", RequestID: "req-1", Writer: "w1",
	}
}

func expired(lo, hi chat.Seq) archive.ChunkMeta {
	return archive.ChunkMeta{
		Format: 1, Lo: lo, Hi: hi, Counts: archive.Counts{Expired: int64(hi - lo + 1)}, RawSHA256: hash(""), SHA256: hash("empty"),
		Run: "20261122T083000Z-0a1b2c3d", RequestID: "-", Writer: "w1", Evidence: archive.EvidenceFinished,
	}
}

func TestMetadata_ParseIsTheInverse(t *testing.T) {
	t.Parallel()
	without := meta(1, 9)
	without.TsMin, without.TsMax = 0, 0
	others := meta(1, 9)
	others.OtherIDs = others.Lines()
	for _, want := range []archive.ChunkMeta{meta(1, 100000), meta(chat.MaxSeq-10, chat.MaxSeq), expired(1, chat.MaxSeq), without, others} {
		md := want.Metadata()
		md["unknown"] = "ignored"
		got, err := archive.ParseChunkMeta(md)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestMetadata_FitIntoCOS(t *testing.T) {
	t.Parallel()
	m := meta(chat.MaxSeq-9, chat.MaxSeq)
	m.Run, m.RequestID, m.Writer = strings.Repeat("r", 128), strings.Repeat("q", 128), strings.Repeat("w", 128)
	m.Evidence = archive.EvidenceFinished
	m.Expired, m.Absent = 2, 0
	m.TsMin, m.TsMax, m.RawBytes = 1<<62, 1<<62, 1<<50
	if _, err := archive.ParseChunkMeta(m.Metadata()); err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, value := range m.Metadata() {
		size += len("x-cos-meta-") + len(name) + len(value)
		if name != strings.ToLower(name) || strings.ContainsFunc(name+value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || value == "" {
			t.Errorf("%q: %q cannot travel as a header", name, value)
		}
	}
	if size > 2048 {
		t.Errorf("metadata have %d bytes, COS takes 2048", size)
	}
}

func TestMetadata_ParseRefusesWhatIsNotFormat1(t *testing.T) {
	t.Parallel()
	good := meta(1, 100).Metadata()
	for name := range good {
		md := maps.Clone(good)
		delete(md, name)
		if _, err := archive.ParseChunkMeta(md); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("without %s: error is %v", name, err)
		}
		for _, value := range []string{"", " 1", "-1", "01", "+1", "1.0", "9223372036854775808", "a b", "a\n", "猫", strings.Repeat("0", 129)} {
			md[name] = value
			if _, err := archive.ParseChunkMeta(md); !errors.Is(err, archive.ErrInvalid) && !isFree(name, value) {
				t.Errorf("%s: %q: error is %v", name, value, err)
			}
		}
	}
	for _, change := range []map[string]string{
		{"lo": "0"},
		{"lo": "2"},
		{"hi": "99"},
		{"hi": "4294967296", "messages": "4294967291"},
		{"lo": "101", "hi": "100", "messages": "0", "system": "0", "recalled": "0", "placeholders": "0", "absent": "0"},
		{"messages": "96"},
		{"absent": "3"},
		{"repaired": "99"},
		{"other-ids": "0"},
		{"other-ids": "99"},
		{"other-ids": "x"},
		{"ts-min": "0"},
		{"ts-min": "1700000101"},
		{"ts-max": "0"},
		{"raw-bytes": "0"},
		{"raw-sha256": strings.ToUpper(hash("raw"))},
		{"sha256": hash("object")[1:]},
		{"evidence": "finished"},
		{"evidence": "none"},
		{"absent": "0", "expired": "2"},
		{"absent": "0", "expired": "2", "evidence": "none"},
		{"messages": "9223372036854775807", "absent": "9223372036854775807"},
	} {
		md := maps.Clone(good)
		maps.Copy(md, change)
		if _, err := archive.ParseChunkMeta(md); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%v: error is %v", change, err)
		}
	}
}

func TestMetadata_ParseTellsACopyFromDamage(t *testing.T) {
	t.Parallel()
	for name, md := range map[string]map[string]string{"none": nil, "of the tool that copied it": {"mtime": "1700000000.5"}} {
		if _, err := archive.ParseChunkMeta(md); !errors.Is(err, archive.ErrNoMetadata) || !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	for name, value := range meta(1, 9).Metadata() {
		if name == "ts-min" || name == "ts-max" { // which a chunk may do without
			continue
		}
		if _, err := archive.ParseChunkMeta(map[string]string{name: value}); errors.Is(err, archive.ErrNoMetadata) {
			t.Errorf("%s alone is taken for nothing", name)
		}
	}
}

// isFree says whether a value is as good as another for this name.
func isFree(name, value string) bool {
	switch name {
	case "run", "request-id", "writer":
		return value != "" && len(value) <= 128 && !strings.ContainsAny(value, " \n猫")
	default:
		return false
	}
}

func TestFormat_UnknownIsRefusedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	if _, err := archive.ParseChunkMeta(map[string]string{"format": "2"}); !errors.Is(err, archive.ErrFormat) || errors.Is(err, archive.ErrInvalid) {
		t.Errorf("metadata: error is %v", err)
	}
	for _, body := range []string{`{"format":2}`, `{"format":2,"sdkappid":"now a string","frontier":"x","chunks":{}}`, `{"format":-1}`} {
		for name, parse := range parsers() {
			if err := parse([]byte(body)); !errors.Is(err, archive.ErrFormat) || errors.Is(err, archive.ErrInvalid) {
				t.Errorf("%s of %s: error is %v", name, body, err)
			}
		}
	}
	for _, body := range []string{``, `{}`, `{"format":0}`, `{"format":"1"}`, `{"format":1.5}`, `[]`, `null`, `{"format":2} x`, "{\"format\":2,\"a\":\"\xff\"}", `{"Format":{}}`} {
		for name, parse := range parsers() {
			if err := parse([]byte(body)); !errors.Is(err, archive.ErrInvalid) || errors.Is(err, archive.ErrFormat) {
				t.Errorf("%s of %s: error is %v", name, body, err)
			}
		}
	}
}

func parsers() map[string]func([]byte) error {
	return map[string]func([]byte) error{
		"genesis":  func(b []byte) error { _, err := archive.ParseGenesis(b); return err },
		"manifest": func(b []byte) error { _, err := archive.ParseManifest(b); return err },
		"state":    func(b []byte) error { _, err := archive.ParseState(b); return err },
	}
}

func TestCounts_Add(t *testing.T) {
	t.Parallel()
	c := archive.Counts{Messages: 1, System: 2, Recalled: 3, Placeholders: 4, Expired: 5, Absent: 6, Repaired: 7}
	if c.Sum() != 21 || c.Lines() != 10 {
		t.Errorf("sum %d, lines %d", c.Sum(), c.Lines())
	}
	c.Add(c)
	want := archive.Counts{Messages: 2, System: 4, Recalled: 6, Placeholders: 8, Expired: 10, Absent: 12, Repaired: 14}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestCRC64_IsThatOfCOS(t *testing.T) {
	t.Parallel()
	// The check value of CRC-64/XZ, which COS calls ECMA.
	if got := archive.CRC64([]byte("123456789")); got != 0x995dc9bbdf1939fa {
		t.Errorf("got %#x", got)
	}
}

func TestRunID_TellsItsStart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 16, 30, 5, 999, time.FixedZone("east", 8*3600))
	run := archive.NewRunID(now)
	if !strings.HasPrefix(run, "20261122T083005Z-") || len(run) != 25 || run == archive.NewRunID(now) {
		t.Errorf("run is %s", run)
	}
	if start, ok := archive.RunStart(run); !ok || !start.Equal(now.Truncate(time.Second)) {
		t.Errorf("start is %v, %v", start, ok)
	}
	for _, run := range []string{"", "x", "20261122T083005Z", "20261122T083005Z-", "20261122T083005Z-0a1b2c", "20261122T083005Z-0a1b2c3d4e", "20261322T083005Z-0a1b2c3d", "20261122T083005Z-0a1b2c3g"} {
		if _, ok := archive.RunStart(run); ok {
			t.Errorf("%q was taken", run)
		}
	}
}
