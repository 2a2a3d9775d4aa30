package export_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// fill writes genesis and chunks of one expired seq each, listed nowhere, behind the engine's back.
func (s *scene) fill(n int) {
	s.Helper()
	body, err := archive.Genesis{
		Format: archive.Format, SDKAppID: appID, GroupID: s.stream.GroupID, FirstLo: 1, Head: chat.Seq(n), CreatedAt: time.Now(),
		ExpiredBelow: archive.ExpiredBelow{Seq: 1, Evidence: archive.EvidenceNone},
	}.Encode()
	s.must(err)
	s.put(layout.Genesis(s.stream), objstore.Write{Body: body})
	// All alike but for their names: what they hold does not matter here, and 5,000 writers would take their time.
	chunk, err := archive.NewExpiredChunk(s.stream, 1, 1, archive.EvidenceFinished, archive.NewRunID(time.Now()), "request", "writer")
	s.must(err)
	for seq := chat.Seq(1); seq <= chat.Seq(n); seq++ {
		chunk.Meta.Lo, chunk.Meta.Hi = seq, seq
		s.put(layout.Chunk(s.stream, seq), objstore.Write{Body: chunk.Body, Metadata: chunk.Meta.Metadata()})
	}
	s.expire(chat.Seq(n) + 1)
}

// list writes the manifests of an archive that fill made, so many chunks in each, and the state of the run that ended
// behind them.
func (s *scene) list(chunks, perManifest int) {
	s.Helper()
	link := archive.Link{Key: layout.Genesis(s.stream)}
	hint := func() {
		body, _, err := s.store.Get(s.Context(), link.Key)
		s.must(err)
		sum := sha256.Sum256(body)
		link.SHA256 = hex.EncodeToString(sum[:])
	}
	hint()
	lo := 1
	for ; lo <= chunks; lo += perManifest {
		var entries []archive.ChunkEntry
		for seq := chat.Seq(lo); seq < chat.Seq(lo+perManifest); seq++ {
			key := layout.Chunk(s.stream, seq)
			object, err := s.store.Head(s.Context(), key)
			s.must(err)
			entries = append(entries, archive.ChunkEntryOf(s.chunk(seq), key, object.Size, object.CRC64))
		}
		m := archive.Manifest{
			Format: archive.Format, SDKAppID: appID, GroupID: s.stream.GroupID, Head: chat.Seq(lo + perManifest - 1),
			Status: archive.StatusComplete, Run: archive.NewRunID(time.Now()), StartedAt: time.Now(), FinishedAt: time.Now(),
			ExpiredBelow: archive.ExpiredBelow{Seq: 1, Evidence: archive.EvidenceNone}, Previous: link,
		}
		m.SetChunks(entries)
		body, err := m.Encode()
		s.must(err)
		link.Key = layout.Manifest(s.stream, m.Lo)
		s.put(link.Key, objstore.Write{Body: body})
		hint()
	}
	s.setState(archive.State{
		Format: archive.Format, Frontier: chat.Seq(chunks) + 1, After: chat.Seq(chunks), Head: chat.Seq(chunks), Status: archive.StatusComplete,
		ManifestAfter: &archive.Pin{Lo: chat.Seq(lo - perManifest), SHA256: link.SHA256}, UpdatedAt: time.Now(),
	})
}

// A batch costs the same however old the archive is: nothing of it is walked, listed or read again.
func TestFrontier_CostsTheSameHoweverOldTheArchiveIs(t *testing.T) {
	t.Parallel()
	type cost struct {
		Requests map[memstore.Op]int
		Calls    int
	}
	var costs [2]cost
	old := 5000
	if testing.Short() {
		old = 500
	}
	t.Run("archives", func(t *testing.T) {
		for i, chunks := range []int{5, old} {
			act(t, "", chunks+30, func(s *scene) {
				s.fill(chunks)
				s.list(chunks, 5)
				requests := make(map[memstore.Op]int)
				s.done(export.Complete, turn{span: 100_000, before: func(c memstore.Call) memstore.Fault {
					requests[c.Op]++
					return memstore.Fault{}
				}})
				s.whole()
				costs[i] = cost{requests, s.chat.Counters().Calls}
			})
		}
	})
	if diff := cmp.Diff(costs[0], costs[1]); diff != "" {
		t.Errorf("cost of a batch (-5 chunks and 1 manifest, +%d chunks, 5 a manifest):\n%s", old, diff)
	}
}

// Nobody knows of 5,000 chunks but their own chain. It is walked hop by hop under a limit of 30 s, all of it is listed,
// and nothing of it is pulled again; batches that die meanwhile do not begin again at the beginning.
func TestFrontier_OfThousandsOfUnlistedChunksWithoutStateIsFoundHopByHop(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		archived int
		request  time.Duration // all HEADs take 75 s
		kills    int           // batches that die after 20 s
		most     int           // HEADs: some once more for the listing, and 5 s of hops lost with each kill
	}{
		{"undisturbed", 5000, 15 * time.Millisecond, 0, 7500},
		{"dying", 5000, 15 * time.Millisecond, 3, 8500},
		{"few that are slow", 150, 500 * time.Millisecond, 3, 370},
	} {
		act(t, tc.name, tc.archived+40, func(s *scene) {
			s.fill(tc.archived)
			heads := 0
			o := turn{owner: "event", span: 100_000, limit: 30 * time.Second, request: tc.request, page: 50 * time.Millisecond}
			o.before = func(c memstore.Call) memstore.Fault {
				if c.Op == memstore.OpHead {
					heads++
				}
				return memstore.Fault{}
			}
			o.ask = func(q chat.Query) error {
				if q.Seq > 0 && q.Seq <= chat.Seq(tc.archived) {
					s.Errorf("seq %d is asked for again", q.Seq)
				}
				return nil
			}
			frontier := chat.Seq(0)
			for deliveries := 0; ; deliveries++ {
				o.dies = 0
				if deliveries < tc.kills {
					o.dies = 20 * time.Second
				}
				began := time.Now()
				result, err := s.batch(o)
				if took := time.Since(began); took > 30*time.Second {
					s.Fatalf("delivery %d took %v", deliveries, took)
				}
				if o.dies > 0 {
					continue // the event is delivered again
				}
				// The frontier may stay where the listing takes its time.
				if err != nil || result.Frontier < frontier || deliveries > 10+tc.kills {
					s.Fatalf("delivery %d gets from %d to %d, %v", deliveries, frontier, result.Frontier, err)
				}
				if frontier = result.Frontier; result.Outcome == export.Complete {
					break
				}
				next := s.queue[0]
				s.queue, o.cont = nil, &next
			}
			s.whole()
			if heads > tc.most {
				s.Errorf("%d HEADs for %d chunks, want at most %d", heads, tc.archived, tc.most)
			}
		})
	}
}

// A batch that knows the group begins behind the last manifest, without a look at the chunks. One that a dead batch
// left there is listed all the same, even if there is nothing to store.
func TestFrontier_ByTheLastManifestSeesTheChunkBehindIt(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.tick()
		group, err := s.client.Group(s.Context(), s.stream)
		s.must(err)
		s.grow(young(), young(), young())
		dead, err := s.fails(turn{owner: "event", before: diesAfter(layout.Chunk(s.stream, 101))})
		if dead.Chunks != 1 {
			s.Fatalf("the batch was to die after one chunk, it has %d, %v", dead.Chunks, err)
		}
		s.must(s.chat.Delete(s.stream, 101)) // it looks as if it were on its way: nothing is stored
		r := s.done(export.Complete, turn{owner: "event", known: &export.Known{
			At: time.Now(), ArchivedCreateTime: group.CreateTime,
			Facts: chat.Facts{CreateTime: group.CreateTime, NextSeq: 104, LastTime: time.Now().Unix()},
		}})
		if report := s.verify(); r.Chunks != 0 || report.Hi != 103 || report.ListedTo != 103 {
			s.Errorf("%d chunks stored, archived up to %d, listed up to %d", r.Chunks, report.Hi, report.ListedTo)
		}
	})
}
