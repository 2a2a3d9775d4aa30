package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/scripts/internal/overwriting"
	"chatexport/scripts/internal/rights"
	"chatexport/scripts/policy"
	"chatexport/scripts/policy/policytest"
)

// start makes a world with one group of every kind that can be asked about.
func start(t *testing.T, o world.Options) *world.World {
	t.Helper()
	w := world.New(t, o)
	g := w.Group("g", 150)
	w.Topic("@TGS#_c", "@TGS#_c@TOPIC#_1", 30)
	if err := w.Chat.AddGroup(chatemu.Group{ID: "live", Type: "AVChatRoom"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Chat.SetFloor(g, 60); err != nil {
		t.Fatal(err)
	}
	if err := w.Chat.Recall(g, 100, 140); err != nil {
		t.Fatal(err)
	}
	return w
}

func firstrun(t *testing.T, w *world.World, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := execute(t.Context(), args, func() (func(string) string, error) { return func(name string) string { return w.Env[name] }, nil }, &out)
	text := out.String()
	for _, secret := range []string{world.SecretKey, world.CloudKey, world.Token, "usersig", "sign="} {
		if strings.Contains(text, secret) {
			t.Errorf("the report holds %q", secret)
		}
	}
	return text, err
}

var everything = []string{"--group", "g", "--community", "@TGS#_c", "--avchatroom", "live"}

func TestService_LikelyOneIsAsBuilt(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{})
	out, err := firstrun(t, w, everything...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"NoSuchKey", "refused: 409", "1 won, 7 were refused", "[as built] 20 at most", "proof that all this has expired", "1 topics", "0 to stop at, 2 not asked",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestService_OtherReadingsAreRecognised(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		quirks chatemu.Quirks
		want   string
	}{
		"0 is refused":           {chatemu.Quirks{SeqZero: chatemu.ZeroIsRefused}, "[fine] it is refused; the code never sends it"},
		"0 is empty":             {chatemu.Quirks{SeqZero: chatemu.ZeroIsEmpty}, "[fine] nothing; the code never sends it"},
		"above is empty":         {chatemu.Quirks{AboveNewest: chatemu.AboveIsEmpty}, "[fine] an interval that holds nothing"},
		"21 is refused":          {chatemu.Quirks{LargeNumber: chatemu.LargeIsRefused}, "[fine] it is refused; the code never asks for more"},
		"holes are left out":     {chatemu.Quirks{Holes: chatemu.HoleIsOmitted}, "elements cover"},
		"messages are counted":   {chatemu.Quirks{Holes: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages}, "messages: holes are left out"},
		"no proof of expiry":     {chatemu.Quirks{Finished: chatemu.FinishedNever}, "[fine] no proof, so a first export probes"},
		"recalled without text":  {chatemu.Quirks{Recalled: chatemu.RecalledBodyEmpty}, "[as built] the archive says that a message was recalled"},
		"recalled with text":     {chatemu.Quirks{}, "[LOOK] the archive holds the text of recalled messages"},
		"live rooms are empty":   {chatemu.Quirks{AVChatRoom: chatemu.AVChatRoomEmpty}, "[as built] an export of it ends at once"},
		"topics cannot be asked": {chatemu.Quirks{TopicsOff: true}, "[LOOK] the topics cannot be listed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, world.Options{Chat: chatemu.Options{Quirks: test.quirks}})
			if strings.Contains(name, "counted") || strings.Contains(name, "left out") {
				if err := w.Chat.Delete(chat.Stream{GroupID: "g"}, 145, 144); err != nil {
					t.Fatal(err)
				}
			}
			out, err := firstrun(t, w, everything...)
			if err != nil || !strings.Contains(out, test.want) {
				t.Errorf("%v, no %q in:\n%s", err, test.want, out)
			}
		})
	}
}

func TestBucket_ThatIsNotSafeStops(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault cosemu.FaultFunc
		want  string
	}{
		"missing is forbidden": {func(r *cosemu.Request) *cosemu.Fault {
			if r.Op == cosemu.OpGet && strings.HasSuffix(r.Key, "missing.json") {
				return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return nil
		}, "grant name/cos:GetBucket"},
		"a missing chunk is forbidden": {func(r *cosemu.Request) *cosemu.Fault {
			if r.Op == cosemu.OpHead {
				return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return nil
		}, "[STOP] no export would ever begin"},
		"nothing may be created": {func(r *cosemu.Request) *cosemu.Fault {
			if strings.HasPrefix(r.Key, "manifest/never-") {
				return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return nil
		}, "[STOP] nothing could be archived"},
		"no file may be created": {func(r *cosemu.Request) *cosemu.Fault {
			if strings.HasPrefix(r.Key, "blob/never-") {
				return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return nil
		}, "[STOP] no file could be archived"},
		"no look may be created": {func(r *cosemu.Request) *cosemu.Fault {
			if strings.HasPrefix(r.Key, "change/never-") {
				return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return nil
		}, "[STOP] nothing could be looked at again"},
		"reads lag": {func(r *cosemu.Request) *cosemu.Fault {
			if r.Op == cosemu.OpGet && strings.Contains(r.Key, "reread") {
				return &cosemu.Fault{Stale: true}
			}
			return nil
		}, "[LOOK] reads lag behind writes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, world.Options{Env: map[string]string{"EXPORT_MEDIA": "on", "EXPORT_LOOK": "auto"}})
			w.COS.SetFault(test.fault)
			out, err := firstrun(t, w, everything...)
			if stop := strings.Contains(out, "[STOP]"); (err != nil) != stop || !strings.Contains(out, test.want) {
				t.Errorf("error %v, no %q in:\n%s", err, test.want, out)
			}
		})
	}
}

func TestRole_OwnKeysAreEnough(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{Env: map[string]string{"EXPORT_MEDIA": "on", "EXPORT_LOOK": "auto"}})
	e := policytest.New(t, "", policy.Role, policy.Bucket)
	e.Refused = func(action, resource string) {
		if !strings.Contains(resource, "/never-") {
			t.Errorf("refused: %s on %s", action, resource)
		}
	}
	w.COS.SetFault(e.COS)
	out, err := firstrun(t, w, everything...)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, trial := range rights.Trials() {
		if want := "May these keys " + trial.What + "?\n    seen:  refused\n    means: [as built]"; !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestOwner_KeyIsToldWhatItMayDo(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{})
	before := len(w.COS.Log())
	out, err := firstrun(t, w)
	for _, trial := range rights.Trials() {
		if want := "May these keys " + trial.What + "?\n    seen:  permitted\n    means: [LOOK] the key of the bucket's owner may do that"; err != nil || !strings.Contains(out, want) {
			t.Errorf("error %v, no %q in:\n%s", err, want, out)
		}
	}
	for _, r := range w.COS.Log()[before:] {
		if strings.Contains(r.Key, "/never-") && r.Op == cosemu.OpPut && r.Status == http.StatusOK {
			t.Errorf("%s was written", r.Key)
		}
	}
}

func TestBucket_ThatOverwritesStops(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{Wrap: overwriting.Wrap})
	out, err := firstrun(t, w, everything...)
	for _, want := range []string{"[STOP] create-only is void here", "8 won", "[STOP] create-only is not atomic"} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("error %v, no %q in:\n%s", err, want, out)
		}
	}
}

func TestService_CodeOfAnOverloadIsSeen(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		60007: "[as built] the function slows down", 10006: "[as built] the function slows down", 60099: "[LOOK] an unknown code",
	} {
		w := start(t, world.Options{Chat: chatemu.Options{QPS: 10, QPSBurst: 20, ThrottleCode: code}})
		c, err := config.Load(func(name string) string { return w.Env[name] })
		if err != nil {
			t.Fatal(err)
		}
		client, err := newChat(c)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		r := &report{out: &out}
		h := &history{report: r, client: client, group: "g", files: newFiles(r, c, client)}
		h.files.byHost["a host"] = chat.Link{URL: "https://a.example.com/"}
		h.overload(t.Context())
		client.CloseIdleConnections()
		if strings.Count(out.String(), want) != 2 || !strings.Contains(out.String(), whichSignatures) {
			t.Errorf("not twice %q in:\n%s", want, out.String())
		}
	}
}

// The list of questions is what is asked, in order.
func TestList_NamesEveryQuestionAndAsksNone(t *testing.T) {
	t.Parallel()
	w, url := sent(t, world.Options{Env: map[string]string{"EXPORT_MEDIA": "on", "EXPORT_LOOK": "auto"}}, nil)
	out, err := firstrun(t, w, "--group", "g", "--overload")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	asked := len(w.COS.Log()) + len(w.Chat.Calls())
	listed, err := firstrun(t, w, "--list")
	if now := len(w.COS.Log()) + len(w.Chat.Calls()); err != nil || now != asked {
		t.Errorf("%v, %d requests", err, now-asked)
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	want := regexp.MustCompile(`(?m)^ *\d+\. .*\?$`).FindAllString(strings.ReplaceAll(out, host, "HOST"), -1)
	if diff := cmp.Diff(want, strings.Split(strings.TrimRight(listed, "\n"), "\n")); diff != "" {
		t.Errorf("-asked +listed:\n%s", diff)
	}
}

func TestOptions_MissingOnesAreNamed(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{})
	if out, err := firstrun(t, w); err != nil || !strings.Contains(out, "5 not asked") {
		t.Errorf("without groups: %v\n%s", err, out)
	}
	if _, err := firstrun(t, w, "--group", "unknown"); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("a group that does not exist: %v", err)
	}
	w.Env["TENCENTCLOUD_SECRETID"] = ""
	if _, err := firstrun(t, w, everything...); err == nil || !strings.Contains(err.Error(), "TENCENTCLOUD_SECRETID") {
		t.Errorf("without keys: %v", err)
	}
}
