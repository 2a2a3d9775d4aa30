package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

// must fails the test on an error that the test is not about.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld begins a world whose service behaves as quirks say. Its quota is high, so that tests are quick. env are
// further variables of the function, as NAME=value.
func newWorld(t testing.TB, quirks chatemu.Quirks, env ...string) *world.World {
	t.Helper()
	vars := map[string]string{"CHAT_QPS": "5000"}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	return world.New(t, world.Options{Chat: chatemu.Options{Quirks: quirks}, Env: vars})
}

// addGroup adds a group whose messages are made from their seqs by f, all of them stored since first.
func addGroup(t testing.TB, w *world.World, id string, first chat.Seq, n int, f func(chat.Seq) chatemu.Message) chat.Stream {
	t.Helper()
	s := chat.Stream{GroupID: id}
	must(t, w.Chat.AddGroup(chatemu.Group{ID: id, FirstSeq: first}))
	if n > 0 {
		must(t, w.Chat.Generate(s, n, f))
	}
	return s
}

// plain makes ordinary short messages.
func plain(chat.Seq) chatemu.Message { return chatemu.Message{From: "user1"} }

// except makes ordinary messages but for those of a kind that in says.
func except(kind chatemu.Kind, in func(chat.Seq) bool) func(chat.Seq) chatemu.Message {
	return func(seq chat.Seq) chatemu.Message {
		m := plain(seq)
		if in(seq) {
			m.Kind = kind
		}
		return m
	}
}

// between tells the seqs of [lo, hi].
func between(lo, hi chat.Seq) func(chat.Seq) bool {
	return func(seq chat.Seq) bool { return lo <= seq && seq <= hi }
}

// old are messages that are too old to be settling.
func old(n int) []chatemu.Message {
	messages := make([]chatemu.Message, n)
	for i := range messages {
		messages[i].Time = time.Now().Add(-time.Hour).Unix()
	}
	return messages
}

// summary is what an invocation returns of one stream.
type summary struct {
	Outcome string   `json:"outcome"`
	Error   string   `json:"error"`
	Lo      chat.Seq `json:"lo"`
	Hi      chat.Seq `json:"hi"`
	Head    chat.Seq `json:"head"`
	Chunks  int      `json:"chunks"`
}

// invoke delivers a timer's event for one stream to an instance, once, and returns what the invocation says of it.
func invoke(t testing.TB, w *world.World, h *invocation.Handler, s chat.Stream) (summary, error) {
	t.Helper()
	return deliver(t, w, h, w.Timer(s))
}

func deliver(t testing.TB, w *world.World, h *invocation.Handler, payload []byte) (summary, error) {
	t.Helper()
	out, err := w.Invoke(h, cloudemu.Delivery{RequestID: "request-of-the-test", Payload: payload})
	if err != nil {
		return summary{}, err
	}
	var answer struct{ Streams []summary }
	must(t, json.Unmarshal([]byte(out), &answer))
	if len(answer.Streams) != 1 {
		t.Fatalf("the invocation tells of %d streams: %s", len(answer.Streams), out)
	}
	return answer.Streams[0], nil
}

// state reads a stream's state, the zero one if there is none.
func state(t testing.TB, w *world.World, s chat.Stream) archive.State {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.State(s))
	if errors.Is(err, objstore.ErrNotExist) {
		return archive.State{}
	}
	must(t, err)
	parsed, err := archive.ParseState(body)
	must(t, err)
	return parsed
}

func genesis(t testing.TB, w *world.World, s chat.Stream) archive.Genesis {
	t.Helper()
	parsed, err := genesisOf(t, w, s)
	must(t, err)
	return parsed
}

// genesisOf is genesis for a stream that may have none.
func genesisOf(t testing.TB, w *world.World, s chat.Stream) (archive.Genesis, error) {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.Genesis(s))
	if err != nil {
		return archive.Genesis{}, err
	}
	return archive.ParseGenesis(body)
}

func manifest(t testing.TB, w *world.World, s chat.Stream, lo chat.Seq) archive.Manifest {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.Manifest(s, lo))
	must(t, err)
	parsed, err := archive.ParseManifest(body)
	must(t, err)
	return parsed
}

// chunks reads the metadata of the chain of chunks.
func chunks(t testing.TB, w *world.World, s chat.Stream) []archive.ChunkMeta {
	t.Helper()
	var chain []archive.ChunkMeta
	for lo := genesis(t, w, s).FirstLo; ; {
		object, err := w.Store.Head(t.Context(), layout.Chunk(s, lo))
		if errors.Is(err, objstore.ErrNotExist) {
			return chain
		}
		must(t, err)
		meta, err := archive.ParseChunkMeta(object.Metadata)
		must(t, err)
		chain = append(chain, meta)
		lo = meta.Hi + 1
	}
}

// snapshot is every object of the bucket but the states: its bytes, its metadata and when it was stored.
func snapshot(t testing.TB, w *world.World) map[string]string {
	t.Helper()
	all := map[string]string{}
	for entry, err := range w.Store.List(t.Context(), "", "") {
		must(t, err)
		if strings.HasPrefix(entry.Key, layout.StatePrefix) {
			continue
		}
		body, object, err := w.Store.Get(t.Context(), entry.Key)
		must(t, err)
		all[entry.Key] = fmt.Sprintf("%s %v %q", object.LastModified, object.Metadata, body)
	}
	return all
}

// unchanged proves that nothing but states was written, overwritten or removed since a snapshot.
func unchanged(t testing.TB, w *world.World, before map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, snapshot(t, w)); diff != "" {
		t.Errorf("objects changed (-before +after):\n%s", diff)
	}
}

// put stores an object behind the function's back, in place of what is there.
func put(t testing.TB, w *world.World, key string, body []byte, metadata map[string]string) {
	t.Helper()
	_, err := w.Store.Overwrite(t.Context(), key, objstore.Write{Body: body, ContentType: "application/octet-stream", Metadata: metadata})
	must(t, err)
}

// prove verifies the archive of a stream and compares it with what is retained now: exactly that, each message once.
// Placeholders are no messages: whether and how they are archived is left to the verifier, which adds up the classes.
func prove(t testing.TB, w *world.World, s chat.Stream) (verify.Report, error) {
	t.Helper()
	report, err := verify.Stream(t.Context(), w.Store, s, verify.Options{SDKAppID: world.SDKAppID})
	if err != nil {
		return report, err
	}
	var faults []error
	for _, f := range report.Findings {
		faults = append(faults, errors.New(f.String()))
	}
	diff, err := verify.Compare(t.Context(), w.Store, s, retained(t, w, s))
	if err == nil && !diff.Same() {
		err = errors.New(diff.String())
	}
	return report, errors.Join(append(faults, err)...)
}

// proved is prove for a test that is about one stream.
func proved(t testing.TB, w *world.World, s chat.Stream) verify.Report {
	t.Helper()
	report, err := prove(t, w, s)
	if err != nil {
		t.Errorf("archive of %s: %v", s, err)
	}
	return report
}

// retained yields the messages of a stream that can still be had.
func retained(t testing.TB, w *world.World, s chat.Stream) iter.Seq2[chat.Seq, []byte] {
	t.Helper()
	truth, _, err := w.Chat.Truth(s)
	must(t, err)
	return func(yield func(chat.Seq, []byte) bool) {
		for r := range truth {
			if r.JSON != nil && r.Class != chat.ClassPlaceholder && !yield(r.Seq, r.JSON) {
				return
			}
		}
	}
}

// calls returns how many calls of the Chat API the batches of each group have made since a mark of the log.
func calls(w *world.World, mark int) map[string]int {
	sum := map[string]int{}
	for line := range bytes.Lines([]byte(w.Logs.String()[mark:])) {
		var fields struct {
			Message string
			GroupID string `json:"group_id"`
			Calls   int
		}
		if json.Unmarshal(line, &fields) == nil && fields.Message == "batch" {
			sum[fields.GroupID] += fields.Calls
		}
	}
	return sum
}
