package layout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

const sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // of "test"

func TestKeys(t *testing.T) {
	t.Parallel()
	group := chat.Stream{GroupID: "@TGS#15ERQPAER"}
	topic := chat.Stream{GroupID: "@TGS#_a", TopicID: "@TGS#_a@TOPIC#_b"}
	day := time.Date(2026, 11, 23, 1, 30, 0, 0, time.FixedZone("east", 8*3600))
	for want, got := range map[string]string{
		"data/gid=.40TGS.2315ERQPAER/tid=-/0000000001.ndjson.gz":                 layout.Chunk(group, 1),
		"data/gid=.40TGS.2315ERQPAER/tid=-/4294967296.ndjson.gz":                 layout.Chunk(group, chat.MaxSeq+1),
		"data/gid=.40TGS.23_a/tid=.40TGS.23_a.40TOPIC.23_b/0000100001.ndjson.gz": layout.Chunk(topic, 100001),
		"manifest/gid=.40TGS.2315ERQPAER/tid=-/genesis.json":                     layout.Genesis(group),
		"manifest/gid=.40TGS.2315ERQPAER/tid=-/4294967295.json":                  layout.Manifest(group, chat.MaxSeq),
		"media/gid=.40TGS.2315ERQPAER/tid=-/0000000801.ndjson.gz":                layout.Media(group, 801),
		"media/gid=.40TGS.23_a/tid=.40TGS.23_a.40TOPIC.23_b/":                    layout.MediaPrefix(topic),
		"change/gid=.40TGS.2315ERQPAER/tid=-/4294967296.ndjson.gz":               layout.Change(group, chat.MaxSeq+1),
		"change/gid=.40TGS.2315ERQPAER/tid=-/":                                   layout.ChangePrefix(group),
		"blob/" + sum[:2] + "/" + sum:                                            layout.Blob(sum),
		"blob//":                                                                 layout.Blob(""),
		"state/gid=.40TGS.23_a/tid=.40TGS.23_a.40TOPIC.23_b/state.json":          layout.State(topic),
		"rejected/2026-11-22/0b2c-11ee-0.json":                                   layout.Rejected(day, "0b2c-11ee", 0),
		"rejected/2026-11-22/.2e.2e.2f-7.json":                                   layout.Rejected(day, "../", 7),
		"rejected/2026-11-22/-0.json":                                            layout.Rejected(day, "", -3),
		"data/gid=.40TGS.2315ERQPAER/tid=-/":                                     layout.ChunkPrefix(group),
		"manifest/gid=.40TGS.23_a/tid=.40TGS.23_a.40TOPIC.23_b/":                 layout.ManifestPrefix(topic),
		"data/gid=-/tid=-/0000000001.ndjson.gz":                                  layout.Chunk(chat.Stream{GroupID: "-"}, 1),
		"data/gid=.2e.2e/tid=--/0000000001.ndjson.gz":                            layout.Chunk(chat.Stream{GroupID: "..", TopicID: "--"}, 1),
		"data/gid=.e7.8c.ab.00.7f/tid=-/0000000001.ndjson.gz":                    layout.Chunk(chat.Stream{GroupID: "猫\x00\x7f"}, 1),
		"rejected/2026-11-22/" + strings.Repeat("x", 128) + "-1.json":            layout.Rejected(day, strings.Repeat("x", 1000), 1),
		"state/sweep/latest.json":                                                layout.SweepLatest(),
		"state/sweep/ID/info-00000.ndjson.gz":                                    layout.SweepInfo("ID", 0),
		"state/sweep/ID/known-00001.ndjson.gz":                                   layout.SweepKnown("ID", 1),
		"state/sweep/ID/plan.json":                                               layout.SweepPlan("ID"),
		"state/sweep/ID/plan-00002.ndjson.gz":                                    layout.SweepPlanPiece("ID", 2),
		"state/sweep/ID/result-10000.ndjson.gz":                                  layout.SweepResult("ID", 10_000),
		"state/sweep/ID/report.json":                                             layout.SweepReport("ID"),
		"state/sweep/doctor/create-only.json":                                    layout.Probe(),
		"data/gid=azAZ09_-/tid=-/0000000001.ndjson.gz":                           layout.Chunk(chat.Stream{GroupID: "azAZ09_-"}, 1),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestParseIsTheInverse(t *testing.T) {
	t.Parallel()
	group := chat.Stream{GroupID: "@TGS#15ERQPAER"}
	topic := chat.Stream{GroupID: "@TGS#_a", TopicID: "@TGS#_a@TOPIC#_b"}
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, want := range []layout.Name{
		{Kind: layout.KindChunk, Stream: group, Lo: 1},
		{Kind: layout.KindChunk, Stream: topic, Lo: chat.MaxSeq},
		{Kind: layout.KindGenesis, Stream: topic},
		{Kind: layout.KindManifest, Stream: group, Lo: 500},
		{Kind: layout.KindMedia, Stream: topic, Lo: 1},
		{Kind: layout.KindChange, Stream: group, Lo: chat.MaxSeq},
		{Kind: layout.KindBlob, SHA256: sum},
		{Kind: layout.KindState, Stream: group},
		{Kind: layout.KindSweep, Rest: "20261122/plan/0001.json"},
		{Kind: layout.KindRejected, Date: day, RequestID: "0b2c-11ee", N: 12},
		{Kind: layout.KindRejected, Date: day},
	} {
		got, err := layout.Parse(want.Key())
		if err != nil {
			t.Errorf("%s: %v", want.Key(), err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Key(), diff)
		}
	}
}

func TestParseRefusesForeignKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", "/", "data", "data/", "x", "data/gid=g/tid=-", "data/gid=g/tid=-/", "/data/gid=g/tid=-/0000000001.ndjson.gz",
		"data/gid=g/tid=-/0000000001.ndjson.gz/", "data/gid=g/tid=-/x/0000000001.ndjson.gz",
		"data/gid=g/tid=-/0000000000.ndjson.gz", "data/gid=g/tid=-/4294967296.ndjson.gz", "data/gid=g/tid=-/9999999999.ndjson.gz",
		"data/gid=g/tid=-/1.ndjson.gz", "data/gid=g/tid=-/00000000001.ndjson.gz", "data/gid=g/tid=-/+000000001.ndjson.gz",
		"data/gid=g/tid=-/0000000001.ndjson", "data/gid=g/tid=-/0000000001.json", "data/gid=g/tid=-/genesis.json",
		"data/gid=/tid=-/0000000001.ndjson.gz", "data/gid=g/tid=/0000000001.ndjson.gz", "data/gid=g/tid=.2d/0000000001.ndjson.gz",
		"data/gid=.2E/tid=-/0000000001.ndjson.gz",  // upper-case hex
		"data/gid=.61/tid=-/0000000001.ndjson.gz",  // a safe byte escaped
		"data/gid=@a/tid=-/0000000001.ndjson.gz",   // an unsafe byte as it is
		"data/gid=a./tid=-/0000000001.ndjson.gz",   // cut escapes
		"data/gid=a.4/tid=-/0000000001.ndjson.gz",  //
		"data/gid=a.+4/tid=-/0000000001.ndjson.gz", //
		"data/gid=.ff/tid=-/0000000001.ndjson.gz",  // not UTF-8
		"data/gid=" + strings.Repeat("x", 129) + "/tid=-/0000000001.ndjson.gz",
		"data/tid=-/gid=g/0000000001.ndjson.gz", "Data/gid=g/tid=-/0000000001.ndjson.gz",
		"manifest/gid=g/tid=-/state.json", "manifest/gid=g/tid=-/0000000000.json", "manifest/gid=g/tid=-/genesis.json2",
		"state/gid=g/tid=-/genesis.json", "state/gid=g/tid=-/0000000001.json",
		"media/gid=g/tid=-/0000000001.json", "media/gid=g/tid=-/0000000000.ndjson.gz", "media/gid=g/tid=-/genesis.json", "media/" + sum,
		"change/gid=g/tid=-/4294967296.ndjson.gz", "change/gid=g/tid=.2d/0000000001.ndjson.gz", "change/gid=g/tid=-/",
		"blob/", "blob/9f/", "blob/9f", "blob/" + sum, "blob/9e/" + sum, "blob/9f/" + sum[:62], "blob/9f/" + sum + "00", "blob/9f/" + sum + "/",
		"blob/9f/x/" + sum, "blob/9F/9F" + sum[2:], "blob/9f/9f" + sum[2:62] + "0G", "blob/9f/" + sum[:60] + "/../",
		"state/sweep/", "state/sweep", "state/sweep/a//b", "state/sweep/../x", "state/sweep/a/./b", "state/sweep/a/",
		"rejected/", "rejected/2026-11-22", "rejected/2026-11-22/", "rejected/2026-11-22/x.json", "rejected/2026-11-22/x-1",
		"rejected/2026-11-22/x-01.json", "rejected/2026-11-22/x-+1.json", "rejected/2026-13-22/x-1.json", "rejected/2026-1-2/x-1.json",
		"rejected/2026-11-22/a/x-1.json", "rejected/2026-11-22/.61-1.json", "rejected/2026-11-22/x-99999999999999999999.json",
		"rejected/2026-11-22/" + strings.Repeat("x", 129) + "-1.json",
	} {
		if name, err := layout.Parse(key); !errors.Is(err, layout.ErrForeign) {
			t.Errorf("%q: %+v, error %v", key, name, err)
		}
	}
}

func TestKeysOfTheLongestIDsFitIntoCOS(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("#", 128)
	s := chat.Stream{GroupID: longest, TopicID: longest}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := (chat.Stream{GroupID: longest + "#"}).Validate(); err == nil {
		t.Fatal("longer ids are valid: the bound must be tried with them")
	}
	// COS allows 850 bytes, prefix included.
	for _, key := range []string{layout.Chunk(s, 1), layout.Genesis(s), layout.Manifest(s, 1), layout.Change(s, 1), layout.State(s), layout.Rejected(time.Now(), longest+"#", 1<<31)} {
		if len(key) > 850-32 {
			t.Errorf("%d bytes leave no room for a prefix: %s", len(key), key)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	got := ""
	for k := layout.KindChunk; k <= layout.KindRejected+1; k++ {
		got += k.String() + " "
	}
	if want := "chunk genesis manifest media change blob state sweep rejected kind 10 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if key := (layout.Name{}).Key(); key != "" {
		t.Errorf("a name without a kind has the key %q", key)
	}
}

// FuzzBuild proves that no id, however hostile, leaves its place, and that what is built is read back.
func FuzzBuild(f *testing.F) {
	f.Add("g", "", int64(1))
	f.Add("../../x", "..", int64(4294967295))
	f.Add("a/b.2f%2e", "\x00\n", int64(77))
	f.Fuzz(func(t *testing.T, gid, tid string, lo int64) {
		s := chat.Stream{GroupID: gid, TopicID: tid}
		if s.Validate() != nil || lo < 1 || lo > int64(chat.MaxSeq) {
			t.Skip()
		}
		for _, name := range []layout.Name{
			{Kind: layout.KindChunk, Stream: s, Lo: chat.Seq(lo)},
			{Kind: layout.KindGenesis, Stream: s},
			{Kind: layout.KindManifest, Stream: s, Lo: chat.Seq(lo)},
			{Kind: layout.KindMedia, Stream: s, Lo: chat.Seq(lo)},
			{Kind: layout.KindChange, Stream: s, Lo: chat.Seq(lo)},
			{Kind: layout.KindState, Stream: s},
			{Kind: layout.KindRejected, Date: time.Unix(0, 0).UTC(), RequestID: gid, N: int(lo)},
		} {
			key := name.Key()
			slashes := 3
			if name.Kind == layout.KindRejected {
				slashes = 2
			}
			if strings.Count(key, "/") != slashes || strings.Contains(key, "..") || len(key) > 850 {
				t.Errorf("%q", key)
			}
			for i := range len(key) {
				if c := key[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`\%?#&+"<>:*|`, c) >= 0 {
					t.Errorf("%q holds the byte %#x", key, c)
				}
			}
			got, err := layout.Parse(key)
			if diff := cmp.Diff(name, got); err != nil || diff != "" {
				t.Errorf("%q: %v (-want +got):\n%s", key, err, diff)
			}
		}
	})
}

// FuzzParse proves that a key that is accepted is exactly what is built from its parts.
func FuzzParse(f *testing.F) {
	f.Add("data/gid=.40TGS.23a/tid=-/0000000001.ndjson.gz")
	f.Add("manifest/gid=a/tid=b/genesis.json")
	f.Add("change/gid=a/tid=b/0000000002.ndjson.gz")
	f.Add("blob/" + sum[:2] + "/" + sum)
	f.Add("state/sweep/x/plan.json")
	f.Add("rejected/2026-11-22/.2e-3.json")
	f.Fuzz(func(t *testing.T, key string) {
		name, err := layout.Parse(key)
		if err != nil {
			if !errors.Is(err, layout.ErrForeign) {
				t.Errorf("%q: %v", key, err)
			}
			return
		}
		if name.Key() != key {
			t.Errorf("%q is built as %q", key, name.Key())
		}
	})
}
