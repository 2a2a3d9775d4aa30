package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
)

// binary is the function, built as it is deployed.
var binary string

func TestMain(m *testing.M) {
	if err := scfemu.Alone(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "function-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(folder) }() // a folder of temporary files
		binary = filepath.Join(folder, "main")
		if err := scfemu.Build(context.Background(), "", binary, "."); err != nil {
			panic(err)
		}
		// The tests wait for the pace of calls and for time limits, not for the processor.
		flag.Parse()
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// stage is a world with the built function in it.
type stage struct {
	*world.World

	t        *testing.T
	platform *scfemu.Platform
}

// begin starts a world in which batches are short: about 200 messages fit into the time of one.
func begin(t *testing.T, o world.Options, c scfemu.Config) *stage {
	t.Helper()
	if o.TimeLimit == 0 {
		o.TimeLimit = 1500 * time.Millisecond
	}
	env := map[string]string{"CHAT_QPS": "15", "EXPORT_SPAN": "150"}
	maps.Copy(env, o.Env)
	o.Env = env
	w := world.New(t, o)
	c.Binary = binary
	return &stage{World: w, t: t, platform: w.Platform(c)}
}

// serve delivers what is queued until nothing is left, and checks what every invocation must keep to.
func (s *stage) serve() []scfemu.Invocation {
	s.t.Helper()
	from := len(s.platform.Invocations())
	if err := s.platform.Run(s.t.Context(), s.Queue); err != nil {
		s.t.Fatal(err)
	}
	served := s.platform.Invocations()[from:]
	for _, v := range served {
		s.checkOutput(v)
	}
	return served
}

// late reports an invocation for which there was no time on a machine that does many other things: the batches here are
// short. The platform delivers its event again, which is what counts.
func late(v scfemu.Invocation) bool {
	return v.Status == scfemu.StatusTimeout || v.Status == scfemu.StatusUserError &&
		(strings.Contains(v.Error, "time was up") || strings.Contains(v.Error, "no time left") || strings.Contains(v.Error, "deadline exceeded"))
}

// mustServe is serve where nothing may fail but for want of time.
func (s *stage) mustServe() []scfemu.Invocation {
	s.t.Helper()
	served := s.serve()
	for _, v := range served {
		if v.Status != scfemu.StatusOK && !late(v) {
			s.t.Errorf("invocation %d of %s: status %d: %s", v.N, v.Payload, v.Status, v.Error)
		}
	}
	if dead := s.Queue.Dead(); len(dead) > 0 {
		s.t.Errorf("%d dead letters", len(dead))
	}
	return served
}

// checkOutput proves that the platform can index what the function writes, and that the answer is short and flat where
// the platform logs it.
func (s *stage) checkOutput(v scfemu.Invocation) {
	s.t.Helper()
	for _, line := range v.Logs {
		checkFlat(s.t, line)
	}
	if len(v.Stderr) > 0 {
		s.t.Errorf("invocation %d wrote to standard error: %q", v.N, v.Stderr)
	}
	if v.Status != scfemu.StatusOK {
		return
	}
	const short = 4 << 10
	if !json.Valid(v.Response) || len(v.Response) > short {
		s.t.Errorf("invocation %d: the answer is not short JSON: %.200q", v.N, v.Response)
	}
}

// checkFlat wants one JSON object whose members are all scalars.
func checkFlat(t *testing.T, line string) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(line), &members); err != nil {
		t.Errorf("a line of standard output is not a JSON object: %q", line)
		return
	}
	for name, value := range members {
		switch value.(type) {
		case map[string]any, []any:
			t.Errorf("the log's member %s is nested: %s", name, line)
		}
	}
	for _, name := range []string{"level", "time", "message"} {
		if members[name] == nil {
			t.Errorf("the log line has no %s: %s", name, line)
		}
	}
}

// batches returns the summary lines among the log lines of invocations.
func batches(served []scfemu.Invocation) []map[string]any {
	var found []map[string]any
	for _, v := range served {
		for _, line := range v.Logs {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) == nil && fields["message"] == "batch" {
				found = append(found, fields)
			}
		}
	}
	return found
}

// wantHops wants a stream's run to have gone through at least so many batches, one after the other, with one end.
func wantHops(t *testing.T, served []scfemu.Invocation, s chat.Stream, least int) {
	t.Helper()
	var hops []float64
	complete := 0
	for _, b := range batches(served) {
		if b["group_id"] != s.GroupID || b["topic_id"] != s.TopicID {
			continue
		}
		hops = append(hops, b["hop"].(float64))
		if b["outcome"] == "complete" {
			complete++
		}
	}
	if len(hops) < least || complete != 1 {
		t.Errorf("%s: hops %v, %d complete; want at least %d batches and one end", s, hops, complete, least)
	}
}

// wantComplete verifies an archive and wants it to reach hi, listed.
func (s *stage) wantComplete(stream chat.Stream, hi chat.Seq) {
	s.t.Helper()
	if r := s.Verify(stream); r.Hi != hi || r.ListedTo != hi || r.Finished != "complete" {
		s.t.Errorf("%s: archived up to %d, listed up to %d, %q; want %d", stream, r.Hi, r.ListedTo, r.Finished, hi)
	}
}

func TestEvents_OfTheTimerAreExportedAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := begin(t, world.Options{}, scfemu.Config{Freeze: true})
	group := s.Group("@TGS#1", 900)
	s.Push(s.Timer(group))
	served := s.mustServe()
	wantHops(t, served, group, 3)
	s.wantComplete(group, 900)

	if err := s.Chat.Generate(group, 30, chatemu.Varied); err != nil {
		t.Fatal(err)
	}
	s.Push(s.Timer(group))
	s.mustServe()
	s.wantComplete(group, 930)
}

func TestEvents_OfInvokeAreHandedOnToTheFunctionItself(t *testing.T) {
	t.Parallel()
	s := begin(t, world.Options{}, scfemu.Config{})
	group := s.Group("@TGS#1", 800)
	payload := []byte(`{"group_id": "@TGS#1"}`)
	v, err := s.platform.Invoke(t.Context(), payload)
	for err == nil && late(v) {
		v, err = s.platform.Invoke(t.Context(), payload)
	}
	if err != nil || v.Status != scfemu.StatusOK {
		t.Fatalf("status %d: %s: %v", v.Status, v.Error, err)
	}
	s.checkOutput(v)
	served := append([]scfemu.Invocation{v}, s.mustServe()...)
	wantHops(t, served, group, 3)
	s.wantComplete(group, 800)
	for _, c := range s.Cloud.Calls() {
		if c.Action != "Invoke" || c.Function != world.Function || c.Namespace != "default" || c.Qualifier != "$LATEST" {
			t.Errorf("continuation went to %+v", c)
		}
		if !bytes.Contains(c.Payload, []byte(`"continue"`)) || len(c.Payload) > 300 || strings.Contains(string(c.Payload), world.CloudKey) {
			t.Errorf("continuation %s", c.Payload)
		}
	}
}
