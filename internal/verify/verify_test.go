package verify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

func group() chat.Stream { return chat.Stream{GroupID: "@TGS#1"} }

func topic() chat.Stream { return chat.Stream{GroupID: "@TGS#_c", TopicID: "@TGS#_c@TOPIC#_t,1"} }

func TestSound_ArchiveHasNoFindings(t *testing.T) {
	t.Parallel()
	for _, s := range []chat.Stream{group(), topic()} {
		for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
			t.Run(fmt.Sprintf("%s level %d", s, level), func(t *testing.T) {
				t.Parallel()
				store := newMemStore()
				b := sound(t, store, s)
				got, err := verify.Stream(t.Context(), store, s, verify.Options{Level: level, SDKAppID: archivetest.SDKAppID})
				if err != nil {
					t.Fatal(err)
				}
				want := verify.Report{
					Stream: s, GroupID: s.GroupID, TopicID: s.TopicID, SDKAppID: archivetest.SDKAppID, Lo: 1, Hi: 100, Manifests: 2,
					Newest: b.Link, ListedTo: 80, Finished: archive.StatusComplete, Status: archive.StatusComplete,
				}
				want.Expired = []verify.ExpiredRange{{Range: verify.Range{Lo: 46, Hi: 60}, Evidence: archive.EvidenceProbe}}
				want.Genesis = archive.Link{Key: layout.Genesis(s), SHA256: archivetest.Hash(store.objects[layout.Genesis(s)].body)}
				first := layout.Manifest(s, 1)
				want.Chain = []archive.Link{{Key: first, SHA256: archivetest.Hash(store.objects[first].body)}, b.Link}
				if level == verify.LevelFull {
					want.Read = 6
					want.Warnings = []verify.Finding{{
						Kind: verify.KindImplausible, Key: layout.Chunk(s, 91), Text: "the archive ends with absent seqs, 100 to 100, " +
							"where a run ends with a message that came: this end may have been invented",
					}}
					for _, lo := range []chat.Seq{81, 91} {
						key := layout.Chunk(s, lo)
						want.Unlisted = append(want.Unlisted, archive.Link{Key: key, SHA256: archivetest.Hash(store.objects[key].body)})
					}
					for _, seq := range []chat.Seq{10, 20, 30, 40, 70, 80, 90, 100} {
						want.Absent = append(want.Absent, verify.Range{Lo: seq, Hi: seq})
					}
				}
				if got.Whole() != (level == verify.LevelFull) {
					t.Error("whether all was read is not told")
				}
				totals := got.Totals
				got.Totals = archive.Totals{}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
				counts := archive.Counts{Messages: 51, System: 8, Recalled: 9, Placeholders: 9, Expired: 15, Absent: 8}
				if diff := cmp.Diff(counts, totals.Counts); diff != "" {
					t.Errorf("counts (-want +got):\n%s", diff)
				}
				if totals.Chunks != 6 || totals.Sum() != 100 || totals.TsMin != 1700000001 || totals.TsMax != 1700000099 {
					t.Errorf("totals %+v", totals)
				}
			})
		}
	}
}

func TestSound_ArchiveMayBeginAboveAnExpiredRange(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := build(t, store, group(), 4000000001)
	b.Expired(chat.MaxSeq - 10)
	b.chunkTo(chat.MaxSeq)
	b.Manifest(archive.StatusComplete)
	b.State(nil)
	report := verified(t, store, verify.Options{})
	if !report.Sound() || report.Lo != 4000000001 || report.Hi != chat.MaxSeq || report.Totals.Chunks != 2 {
		t.Errorf("report %+v", report)
	}
}

func TestSound_FreshArchiveIs(t *testing.T) {
	t.Parallel()
	tests := map[string]func(b *builder){
		"genesis only": func(*builder) {},
		"state without a seq": func(b *builder) {
			b.remove(layout.Genesis(group()))
			b.State(func(s *archive.State) { s.Frontier, s.Head = 0, 0 })
		},
		"state at first_lo": func(b *builder) { b.State(nil) },
		"stale state": func(b *builder) {
			b.chunkTo(20)
			b.State(nil)
			b.chunkTo(40)
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			prepare(build(t, store, group(), 1))
			if report := verified(t, store, verify.Options{}); !report.Sound() {
				t.Errorf("findings %v", report.Findings)
			}
		})
	}
}

func verified(t *testing.T, store *memStore, opts verify.Options) verify.Report {
	t.Helper()
	report, err := verify.Stream(t.Context(), store, group(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func kinds(findings []verify.Finding) []verify.Kind {
	var out []verify.Kind
	for _, f := range findings {
		out = append(out, f.Kind)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestFinding_NamesTheObjectAndTheRange(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group()).remove(layout.Chunk(group(), 81))
	report := verified(t, store, verify.Options{})
	want := []verify.Finding{{
		Kind: verify.KindGap, Key: layout.Chunk(group(), 81), Text: "no chunk covers [81, 90], but one begins at 91",
	}}
	if diff := cmp.Diff(want, report.Findings); diff != "" {
		t.Error(diff)
	}
}

func TestFinding_IsAnotherAppsArchive(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	report := verified(t, store, verify.Options{SDKAppID: 7})
	if diff := cmp.Diff([]verify.Kind{verify.KindGenesis}, kinds(report.Findings)); diff != "" {
		t.Error(diff)
	}
}

func TestCorruptObject_IsAFindingAndTheChainGoesOn(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"chunk":    layout.Chunk(group(), 21),
		"manifest": layout.Manifest(group(), 1),
		"state":    layout.State(group()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			sound(t, store, group())
			first := true
			store.onRead = func(read string) error {
				if read == key && first {
					first = false // the HEAD that follows is answered
					return fmt.Errorf("get %s: %w", read, objstore.ErrCorrupt)
				}
				return nil
			}
			report := verified(t, store, verify.Options{})
			if diff := cmp.Diff([]verify.Kind{verify.KindCRC}, kinds(report.Findings)); diff != "" || report.Hi != 100 {
				t.Errorf("hi %d, findings %v", report.Hi, report.Findings)
			}
		})
	}
}

func TestGrowth_DuringTheVerificationIsNoFault(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := sound(t, store, group())
	grown := false
	store.onRead = func(key string) error {
		if key == layout.Chunk(group(), 91) && !grown {
			grown = true
			b.chunkTo(110)
			b.chunkTo(120)
		}
		return nil
	}
	if report := verified(t, store, verify.Options{}); !report.Sound() || report.Hi != 120 {
		t.Errorf("hi %d, findings %v", report.Hi, report.Findings)
	}

	// Here the end was looked at before the next chunks appeared, and the listing shows them.
	store = newMemStore()
	b = sound(t, store, group())
	key := layout.Chunk(group(), 101)
	store.onRead = func(read string) error {
		if read == key {
			store.onRead = nil
			b.chunkTo(110)
			b.chunkTo(120)
			return fmt.Errorf("just now: %w", objstore.ErrNotExist)
		}
		return nil
	}
	if report := verified(t, store, verify.Options{}); !report.Sound() {
		t.Errorf("findings %v", report.Findings)
	}
}

func TestFailedRead_EndsTheVerification(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		layout.State(group()), layout.Genesis(group()), layout.Manifest(group(), 46), layout.Chunk(group(), 81),
	} {
		store := newMemStore()
		sound(t, store, group())
		store.onRead = func(read string) error {
			if read == key {
				return fmt.Errorf("get %s: %w", read, objstore.ErrDenied)
			}
			return nil
		}
		if _, err := verify.Stream(t.Context(), store, group(), verify.Options{}); !errors.Is(err, objstore.ErrDenied) {
			t.Errorf("%s: error %v", key, err)
		}
	}
}

func TestNothing_IsAnError(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	if _, err := verify.Stream(t.Context(), store, topic(), verify.Options{}); !errors.Is(err, verify.ErrNothing) {
		t.Errorf("error %v", err)
	}
	if _, err := verify.Stream(t.Context(), store, chat.Stream{}, verify.Options{}); !errors.Is(err, chat.ErrInvalidStream) {
		t.Errorf("error %v", err)
	}
}

func TestFinding_ListIsBounded(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	for i := range 50 {
		store.put(fmt.Sprintf("%sx%d", layout.ChunkPrefix(group()), i), nil, nil)
	}
	report := verified(t, store, verify.Options{MaxFindings: 5})
	if len(report.Findings) != 5 || report.Omitted != 45 {
		t.Errorf("%d findings, %d omitted", len(report.Findings), report.Omitted)
	}
}

func TestFinding_NeverQuotesMessages(t *testing.T) {
	t.Parallel()
	const secret = "the very private text"
	for name, change := range map[string]func([]byte) []byte{
		"no JSON":     replace(`"m 81"`, `"`+secret+`" `+secret),
		"no seq":      replace(`"MsgSeq":81`, `"MsgSeq":"`+secret+`"`),
		"another id":  replace(`"GroupId":"@TGS#1"`, `"GroupId":"`+secret+`"`),
		"wrong order": replace(`"MsgSeq":81`, `"X":"`+secret+`","MsgSeq":89`),
	} {
		store := newMemStore()
		b := sound(t, store, group())
		b.rewrite(81, change)
		report := verified(t, store, verify.Options{})
		if report.Sound() || strings.Contains(fmt.Sprint(report.Findings), secret) {
			t.Errorf("%s: findings %v", name, report.Findings)
		}
	}
}
