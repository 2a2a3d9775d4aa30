package invocation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// contents reads every object of the archive but states: what must not be touched.
func (s *site) contents() map[string]string {
	s.t.Helper()
	found := make(map[string]string)
	for entry, err := range s.Store.List(s.t.Context(), "", "") {
		must(s.t, err)
		if strings.HasPrefix(entry.Key, layout.StatePrefix) {
			continue
		}
		body, object, err := s.Store.Get(s.t.Context(), entry.Key)
		must(s.t, err)
		found[entry.Key] = fmt.Sprint(string(body), object.Metadata)
	}
	return found
}

// put stores an object that nobody should have stored.
func (s *site) put(key string, body []byte, metadata map[string]string) {
	s.t.Helper()
	_, err := s.Store.Overwrite(s.t.Context(), key, objstore.Write{Body: body, ContentType: "application/json", Metadata: metadata})
	must(s.t, err)
}

// changeState stores a state that differs from the present one.
func (s *site) changeState(stream chat.Stream, change func(*archive.State)) {
	s.t.Helper()
	state := s.state(stream)
	state.Format, state.UpdatedAt = archive.Format, time.Now()
	if state.Status == "" {
		state.Status = archive.StatusRunning
	}
	change(&state)
	body, err := state.Encode()
	must(s.t, err)
	s.put(layout.State(stream), body, nil)
}

func (s *site) putGenesis(stream chat.Stream, change func(*archive.Genesis)) {
	s.t.Helper()
	g := archive.Genesis{
		Format: archive.Format, SDKAppID: world.SDKAppID, GroupID: stream.GroupID, FirstLo: 1, Head: 60,
		ExpiredBelow: archive.ExpiredBelow{Seq: 1, Evidence: archive.EvidenceNone}, CreatedAt: time.Now(),
	}
	change(&g)
	body, err := g.Encode()
	must(s.t, err)
	s.put(layout.Genesis(stream), body, nil)
}

// otherFormat changes the format that an object names.
func (s *site) otherFormat(key string) {
	s.t.Helper()
	body, object, err := s.Store.Get(s.t.Context(), key)
	must(s.t, err)
	changed := strings.Replace(string(body), `"format": 1`, `"format": 2`, 1)
	if changed == string(body) {
		changed = strings.Replace(string(body), `"format":1`, `"format":2`, 1)
	}
	if changed == string(body) {
		s.t.Fatalf("%s names no format", key)
	}
	s.put(key, []byte(changed), object.Metadata)
}

// verdictCase is something wrong with an archive of 60 messages in three chunks, found by a tick when 30 are new.
type verdictCase struct {
	name    string
	fresh   bool // there is no archive yet
	setup   func(s *site, stream chat.Stream)
	fault   *cosemu.Fault // of reads of genesis
	outcome string        // of the tick; "error" where the platform delivers it again
	code    string
	reads   string // what the operator reads
	grows   bool   // objects may be added (never changed)
}

func verdicts() []verdictCase {
	chunk := func(meta archive.ChunkMeta) map[string]string { return meta.Metadata() }
	const group = "@TGS#1"
	return []verdictCase{
		{
			name:    "something else under the next chunk's key",
			setup:   func(s *site, stream chat.Stream) { s.put(layout.Chunk(stream, 61), []byte("mine"), nil) },
			outcome: "damaged", code: "foreign_object", reads: "nothing was overwritten, look at it with verify",
		},
		{
			name: "a chunk of another place under the next chunk's key",
			setup: func(s *site, stream chat.Stream) {
				metas, _ := s.chain(stream)
				s.put(layout.Chunk(stream, 61), []byte("x"), chunk(metas[0]))
			},
			outcome: "damaged", code: "foreign_object", reads: "begins at 1",
		},
		{
			name: "a chunk of an unknown format",
			setup: func(s *site, stream chat.Stream) {
				metas, _ := s.chain(stream)
				metadata := chunk(metas[2])
				metadata["format"] = "2"
				s.put(layout.Chunk(stream, 61), []byte("x"), metadata)
			},
			outcome: "error", reads: "deploy that version",
		},
		{
			name: "a state without genesis", fresh: true,
			setup: func(s *site, stream chat.Stream) {
				s.changeState(stream, func(st *archive.State) { st.Frontier, st.After = 21, 1 })
			},
			outcome: "damaged", code: "genesis_missing", reads: "genesis.json does not exist",
		},
		{
			name: "a manifest without genesis", fresh: true,
			setup: func(s *site, stream chat.Stream) {
				other := s.Group("other", 60)
				s.tick(other)
				body, _, err := s.Store.Get(s.t.Context(), layout.Manifest(other, 1))
				must(s.t, err)
				s.put(layout.Manifest(stream, 1), []byte(strings.ReplaceAll(strings.ReplaceAll(string(body), `"other"`, `"@TGS#1"`), "gid=other", "gid=.40TGS.231")), nil)
			},
			outcome: "damaged", code: "genesis_missing", reads: "the genesis does not",
		},
		{
			name: "a state whose last chunk is gone",
			setup: func(s *site, stream chat.Stream) {
				s.changeState(stream, func(st *archive.State) { st.Frontier, st.After = 101, 81 })
			},
			outcome: "damaged", code: "chunk_missing", reads: "state says that data/gid=.40TGS.231/tid=-/0000000081.ndjson.gz exists",
		},
		{
			name: "a state whose last manifest is gone",
			setup: func(s *site, stream chat.Stream) {
				s.changeState(stream, func(st *archive.State) { st.ManifestAfter.Lo = 2 })
			},
			outcome: "damaged", code: "manifest_missing", reads: "manifest/gid=.40TGS.231/tid=-/0000000002.json", grows: true,
		},
		{
			name: "a manifest that was changed",
			setup: func(s *site, stream chat.Stream) {
				body, _, err := s.Store.Get(s.t.Context(), layout.Manifest(stream, 1))
				must(s.t, err)
				s.put(layout.Manifest(stream, 1), append(body, '\n'), nil)
			},
			outcome: "damaged", code: "manifest_chain", reads: "is not the manifest that was written", grows: true,
		},
		{
			name:    "a manifest of an unknown format under the next manifest's key",
			setup:   func(s *site, stream chat.Stream) { s.put(layout.Manifest(stream, 61), []byte(`{"format":2}`), nil) },
			outcome: "error", reads: "deploy that version", grows: true,
		},
		{
			name: "a broken manifest under the next manifest's key",
			setup: func(s *site, stream chat.Stream) {
				s.put(layout.Manifest(stream, 61), []byte(`{"format":1,"lo":"x"}`), nil)
			},
			outcome: "damaged", code: "manifest_invalid", reads: "0000000061.json", grows: true,
		},
		{
			name: "a genesis of another app", fresh: true,
			setup: func(s *site, stream chat.Stream) {
				s.putGenesis(stream, func(g *archive.Genesis) { g.SDKAppID = 1400000001 })
			},
			outcome: "mismatch", code: "sdkappid", reads: "use another COS_PREFIX for each app",
		},
		{
			name: "a genesis of another stream", fresh: true,
			setup: func(s *site, stream chat.Stream) {
				s.putGenesis(stream, func(g *archive.Genesis) { g.GroupID = "other" })
			},
			outcome: "damaged", code: "genesis_invalid", reads: "names another stream",
		},
		{
			name: "a genesis that is none", fresh: true,
			setup:   func(s *site, stream chat.Stream) { s.put(layout.Genesis(stream), []byte(`{"format":1}`), nil) },
			outcome: "damaged", code: "genesis_invalid", reads: "genesis.json",
		},
		{
			name:    "a genesis of an unknown format",
			setup:   func(s *site, stream chat.Stream) { s.otherFormat(layout.Genesis(stream)) },
			outcome: "error", reads: "deploy that version",
		},
		{
			name:    "a state of an unknown format",
			setup:   func(s *site, stream chat.Stream) { s.otherFormat(layout.State(stream)) },
			outcome: "error", reads: "deploy that version",
		},
		{
			name: "the group was recreated later",
			setup: func(s *site, _ chat.Stream) {
				must(s.t, s.Chat.Recreate(chatemu.Group{ID: group, CreateTime: 1700000000}))
				must(s.t, s.Chat.Generate(chat.Stream{GroupID: group}, 100, plain))
			},
			outcome: "recreated", code: "recreated", reads: "give the new group another COS_PREFIX",
		},
		{
			name: "the group was recreated in the same second",
			setup: func(s *site, _ chat.Stream) {
				must(s.t, s.Chat.Recreate(chatemu.Group{ID: group}))
				must(s.t, s.Chat.Generate(chat.Stream{GroupID: group}, 10, plain))
			},
			outcome: "recreated", code: "recreated", reads: "the old archive is kept",
		},
		{
			name:    "the group was dissolved",
			setup:   func(s *site, _ chat.Stream) { must(s.t, s.Chat.Dissolve(group)) },
			outcome: "gone", code: "10010", reads: "what was archived is kept",
		},
		{
			name: "the group never existed", fresh: true,
			setup:   func(s *site, _ chat.Stream) { must(s.t, s.Chat.Dissolve(group)) },
			outcome: "gone", code: "10010", reads: "no longer exists",
		},
		{
			name: "an AVChatRoom", fresh: true,
			setup: func(s *site, _ chat.Stream) {
				must(s.t, s.Chat.Recreate(chatemu.Group{ID: group, Type: "AVChatRoom"}))
			},
			outcome: "unsupported", code: "10004",
		},
		{
			name:    "genesis may not be read",
			fault:   &cosemu.Fault{Status: 403, Code: "AccessDenied"},
			outcome: "error", code: "AccessDenied", reads: "denied",
		},
		{
			name: "genesis is looked for in a bucket that is gone", fresh: true,
			fault:   &cosemu.Fault{Status: 404, Code: "NoSuchBucket"},
			outcome: "error", code: "NoSuchBucket", reads: "bucket does not exist",
		},
	}
}

func onGet(suffix string, f *cosemu.Fault) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == cosemu.OpGet && strings.HasSuffix(r.Key, suffix) {
			return f
		}
		return nil
	}
}

// Every wrong object, and every group that is not what it was, has its outcome, says what to do, and nothing that is
// archived is touched.
func TestWhatIsWrongHasItsVerdictAndNothingIsTouched(t *testing.T) {
	t.Parallel()
	for _, tc := range verdicts() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, tc.try)
		})
	}
}

func (c *verdictCase) try(t *testing.T) {
	s := newSite(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "20"}})
	stream := s.Group("@TGS#1", 60)
	if !c.fresh {
		s.tick(stream)
		must(t, s.Chat.Generate(stream, 30, plain))
	}
	if c.setup != nil {
		c.setup(s, stream)
	}
	before := s.contents()
	if c.fault != nil {
		s.COS.SetFault(onGet("genesis.json", c.fault))
	}
	_, err := s.once(stream)
	s.COS.SetFault(nil)

	outcomes := s.outcomes("@TGS#1")
	if got := outcomes[len(outcomes)-1]; got != c.outcome || (err != nil) != (c.outcome == "error") {
		t.Errorf("outcome %s, error %v; want %s", got, err, c.outcome)
	}
	told := fmt.Sprint(err, s.Logs.String())
	if !strings.Contains(told, c.reads) {
		t.Errorf("the operator reads %q, want %q", told, c.reads)
	}
	if got := s.published(); len(got) > 0 {
		t.Errorf("handed on: %q", got)
	}
	after := s.contents()
	for key, body := range before {
		if after[key] != body {
			t.Errorf("%s was changed", key)
		}
		delete(after, key)
	}
	if len(after) > 0 && !c.grows {
		t.Errorf("objects were added: %q", after)
	}
	if c.code == "" {
		return
	}
	state := s.state(stream)
	if c.outcome != "error" && (state.Status != c.outcome || state.Lease != nil) {
		t.Errorf("state %q with lease %v, want %q", state.Status, state.Lease, c.outcome)
	}
	if state.Error == nil || state.Error.Code != c.code {
		t.Errorf("state's error %+v, want %s", state.Error, c.code)
	}
}

// What is archived of a group that is gone is listed, and the manifest says why there will be no more.
func TestAGoneGroupIsFinishedWithAManifest(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{
			TimeLimit: 2 * time.Second, Chat: chatemu.Options{Latency: 200 * time.Millisecond},
			Env: map[string]string{"EXPORT_SPAN": "20", "CHAT_CONCURRENCY": "1"},
		})
		stream := s.Group("@TGS#1", 400)
		s.Push(s.Timer(stream))
		d, err := s.Queue.Next(t.Context())
		must(t, err)
		_, err = s.deliver(d)
		must(t, err)
		must(t, s.Queue.Ack(d.ID))
		must(t, s.Chat.Dissolve("@TGS#1"))
		s.drain()
		state := s.state(stream)
		body, _, err := s.Store.Get(t.Context(), layout.Manifest(stream, 1))
		must(t, err)
		manifest, err := archive.ParseManifest(body)
		must(t, err)
		if state.Status != archive.StatusGone || manifest.Status != archive.StatusGone || manifest.Hi+1 != state.Frontier || manifest.Hi < 20 {
			t.Errorf("state %q at %d, manifest %q up to %d", state.Status, state.Frontier, manifest.Status, manifest.Hi)
		}
		if diff := cmp.Diff([]string{"continued", "gone"}, s.outcomes("@TGS#1")); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

// Create-only writes are void on a bucket that is or was versioned: nothing at all may be written.
func TestABucketThatWasEverVersionedIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range []cosemu.Versioning{cosemu.VersioningEnabled, cosemu.VersioningSuspended} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{})
				stream := s.Group("@TGS#1", 30)
				must(t, s.COS.SetVersioning(world.Bucket, v))
				_, err := s.once(stream)
				if err == nil || !strings.Contains(err.Error(), "versioning") || !strings.Contains(err.Error(), "make a new one") {
					t.Errorf("error %v", err)
				}
				if got := s.COS.Counts()[cosemu.OpPut]; got != 0 {
					t.Errorf("%d objects were written", got)
				}
			})
		})
	}
}
