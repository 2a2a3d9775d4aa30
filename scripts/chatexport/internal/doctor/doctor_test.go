package doctor_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/emulator/world"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/doctor"
	"chatexport/scripts/internal/overwriting"
	"chatexport/scripts/policy"
	"chatexport/scripts/policy/policytest"
)

type check struct{ Name, Result, Text, Advice string }

// run returns the exit code and the checks by name.
func run(t *testing.T, env map[string]string, args ...string) (int, map[string]check) {
	t.Helper()
	r := clitest.Run(t, doctor.Command(clitest.Env(env)), append(args, "--json")...)
	var got struct {
		Healthy bool
		Checks  []check
	}
	if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil {
		t.Fatalf("exit code %d, %v in %s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	checks := map[string]check{}
	for _, c := range got.Checks {
		checks[c.Name] = c
	}
	if got.Healthy != (r.Code == 0) {
		t.Errorf("healthy is %v, exit code %d", got.Healthy, r.Code)
	}
	for _, secret := range []string{world.SecretKey, world.CloudKey, world.Token} {
		if strings.Contains(r.Stdout+r.Stderr, secret) {
			t.Error("a secret is printed")
		}
	}
	return r.Code, checks
}

// permanentKey has an owner's key beside the role's.
func permanentKey(o *world.Options) {
	o.Keys = []cloudemu.Credential{{SecretID: "AKIDowner", SecretKey: world.CloudKey}}
	o.COS.Fault = nil
}

// denied refuses what a role may be refused.
func denied(ops ...cosemu.Op) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		if !slices.Contains(ops, r.Op) {
			return nil
		}
		return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied."}
	}
}

// refusing refuses what the function's role must be refused, but for what a test lets through.
func refusing(but ...string) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		what := ""
		switch {
		case r.Op == cosemu.OpDelete:
			what = "delete"
		case r.Op == cosemu.OpPut && r.Header.Get("x-cos-acl") != "":
			what = "publish"
		case r.Op == cosemu.OpPut && r.Header.Get("x-cos-forbid-overwrite") != "true":
			what = "replace"
		}
		root, _, _ := strings.Cut(r.Key, "/")
		if what == "" || root == "state" || slices.Contains(but, what+" below "+root+"/") {
			return nil
		}
		return denied(r.Op)(r)
	}
}

// novel answers a deletion with what says neither yes nor no.
func novel(r *cosemu.Request) *cosemu.Fault {
	if r.Op != cosemu.OpDelete {
		return nil
	}
	return &cosemu.Fault{Status: http.StatusBadRequest, Code: "Novel"}
}

// nothingNew refuses all writes below data/.
func nothingNew(r *cosemu.Request) *cosemu.Fault {
	if !strings.HasPrefix(r.Key, "data/") {
		return refusing()(r)
	}
	return denied(cosemu.OpPut, cosemu.OpDelete)(r)
}

// noFiles refuses what a role was not granted before there were files.
func noFiles(r *cosemu.Request) *cosemu.Fault {
	switch root, _, _ := strings.Cut(r.Key, "/"); {
	case root == "media", root == "change", root == "blob", root == "data" && r.Op == cosemu.OpGet:
		return denied(r.Op)(r)
	default:
		return refusing()(r)
	}
}

// noLooks refuses what a role was not granted before there were looks.
func noLooks(r *cosemu.Request) *cosemu.Fault {
	if strings.HasPrefix(r.Key, "change/") {
		return denied(r.Op)(r)
	}
	return refusing()(r)
}

// healthy is a world without anything to complain about.
func healthy() world.Options {
	return world.Options{COS: cosemu.Options{Fault: refusing()}, Env: map[string]string{"EXPORT_MEDIA": "on", "EXPORT_LOOK": "auto"}}
}

// send sends files to the group, or URLs without a file.
func send(t *testing.T, w *world.World, group string, files ...any) {
	t.Helper()
	for _, file := range files {
		m := chatemu.Media{Size: 5}
		switch file := file.(type) {
		case mediaemu.Spec:
			f := w.Media.Add(file)
			m.URL, m.Size = f.URL(), f.Size()
		case string:
			m.URL = file
		}
		if err := w.Chat.Append(chat.Stream{GroupID: group}, chatemu.Message{From: "a", Body: chatemu.MsgBody(chatemu.SoundElem(m))}); err != nil {
			t.Fatal(err)
		}
	}
}

func sound() mediaemu.Spec {
	return mediaemu.Spec{Content: mediaemu.Bytes(sample.WAV(1)), Type: "audio/wav"}
}

func TestDeployment_Healthy(t *testing.T) {
	t.Parallel()
	w := world.New(t, healthy())
	w.Group("g", 0)
	send(t, w, "g", sound())
	for range 2 { // the probe's object stays, and is no trouble the second time
		code, checks := run(t, w.Env)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		for name, c := range checks {
			if c.Result != "ok" {
				t.Errorf("%s: %s: %s", name, c.Result, c.Text)
			}
		}
		if len(checks) < 20 {
			t.Errorf("only %d checks", len(checks))
		}
	}
	if n, _ := w.Queue.Len(); n > 2 {
		t.Errorf("%d events are queued", n)
	}
}

// ailment is one thing that is wrong, and the check that must say so.
type ailment struct {
	options func(*world.Options)
	env     map[string]string
	args    []string
	also    string
	check   string
	result  string // failed if empty
	code    int    // if not what result means: 1 for failed, 0 for all else
	text    string
}

func ailments() map[string]ailment {
	chat := func(change func(*chatemu.Options)) func(*world.Options) {
		return func(o *world.Options) { change(&o.Chat) }
	}
	answers := func(code int) func(*world.Options) {
		return chat(func(o *chatemu.Options) { o.Fault = chatemu.FaultEvery(1, chatemu.Fault{ErrorCode: code}) })
	}
	cos := func(f cosemu.FaultFunc) func(*world.Options) {
		return func(o *world.Options) { o.COS.Fault = f }
	}
	cloud := func(f cloudemu.Fault) func(*world.Options) {
		return func(o *world.Options) { o.Cloud = func(*cloudemu.Call) *cloudemu.Fault { return &f } }
	}
	return map[string]ailment{
		"variable missing":      {env: map[string]string{"CHAT_SDKAPPID": ""}, check: "variable CHAT_SDKAPPID", code: 2, text: "not set"},
		"variable wrong":        {env: map[string]string{"CHAT_QPS": "many"}, check: "variable CHAT_QPS", code: 2},
		"credentials missing":   {env: map[string]string{"TENCENTCLOUD_SECRETID": ""}, check: "variable TENCENTCLOUD_SECRETID", code: 2},
		"an old variable":       {env: map[string]string{"SWEEP_LANES": "9"}, check: "variables", result: "warning"},
		"nobody answers":        {env: map[string]string{"CHAT_ENDPOINT": "http://127.0.0.1:1"}, check: "Chat connection"},
		"source IP refused":     {options: chat(func(o *chatemu.Options) { o.AllowedIPs = []string{"10.0.0.1"} }), check: "Chat source IP", text: "60021"},
		"app of another region": {env: map[string]string{"CHAT_SDKAPPID": "1400000077"}, options: chat(func(o *chatemu.Options) { o.OtherRegionApps = []int{1400000077} }), check: "Chat region", text: "70020"},
		"wrong key":             {env: map[string]string{"CHAT_SECRET_KEY": "another-key-another-key"}, check: "Chat UserSig"},
		"no admin":              {env: map[string]string{"CHAT_ADMIN": "somebody"}, check: "Chat admin account"},
		"plan expired":          {options: answers(60020), check: "Chat app", text: "renew the plan"},
		"throttled":             {options: answers(60007), check: "Chat app", result: "warning"},
		"unknown group":         {args: []string{"--group", "nobody"}, check: "Chat history"},
		"no bucket":             {env: map[string]string{"COS_BUCKET": "other-1250000000"}, check: "COS bucket", text: "COS_BUCKET"},
		"wrong cloud key":       {env: map[string]string{"TENCENTCLOUD_SECRETKEY": "wrong"}, also: "hand-over", check: "COS bucket"},
		"versioning suspended": {options: func(o *world.Options) {
			o.COS.Buckets = []cosemu.Bucket{{Name: world.Bucket, Versioning: cosemu.VersioningSuspended}}
		}, check: "COS versioning"},
		"versioning not shown":  {options: cos(denied(cosemu.OpGetVersioning)), check: "COS bucket", text: "cos:GetBucketVersioning"},
		"reading refused":       {options: cos(denied(cosemu.OpGet)), also: "COS files, COS looks", check: "COS reading", text: "403"},
		"writing refused":       {options: cos(denied(cosemu.OpPut)), also: "COS files, COS looks", check: "COS create-only", text: "403"},
		"create-only ignored":   {options: func(o *world.Options) { o.Wrap = overwriting.Wrap }, check: "COS create-only", text: "overwritten"},
		"no chunk may be there": {options: cos(nothingNew), check: "COS create-only", text: "no object may be created below data/"},
		"files not granted":     {options: cos(noFiles), also: "COS looks", check: "COS files", text: "refused: reading chunks, looking below media/, creating below media/, looking below blob/, creating below blob/"},
		"looks not granted":     {options: cos(noLooks), check: "COS looks", text: "refused: looking below change/, creating below change/; give the function's role"},
		"looks switched off":    {env: map[string]string{"EXPORT_LOOK": "off"}, check: "COS looks", result: "skipped"},
		"looks too late":        {env: map[string]string{"EXPORT_LOOK": "160h"}, check: "variables", result: "warning", text: "EXPORT_LOOK is above 7/8"},
		"files switched off":    {env: map[string]string{"EXPORT_MEDIA": "off"}, check: "COS files", result: "skipped"},
		"a wrong list of hosts": {env: map[string]string{"MEDIA_HOSTS": "http://a.example.com"}, check: "variable MEDIA_HOSTS", code: 2},
		"large files":           {env: map[string]string{"MEDIA_MAX_BYTES": "503316480"}, check: "variables", result: "warning", text: "1 at once"},
		"listing refused":       {options: cos(denied(cosemu.OpList)), check: "COS listing", result: "warning"},
		"deleting permitted":    {options: cos(refusing("delete below data/")), check: "COS refusals", result: "warning", text: "may delete below data/; the key of the bucket's owner"},
		"replacing permitted":   {options: cos(refusing("replace below manifest/")), check: "COS refusals", result: "warning", text: "may replace below manifest/;"},
		"publishing permitted":  {options: cos(refusing("publish below data/")), check: "COS refusals", result: "warning", text: "may publish below data/;"},
		"everything permitted":  {options: cos(nil), check: "COS refusals", result: "warning", text: "delete below data/, replace below data/, publish below data/, delete below manifest/"},
		"the deployer's key":    {env: map[string]string{"TENCENTCLOUD_SECRETID": "AKIDowner", "TENCENTCLOUD_SESSIONTOKEN": ""}, options: permanentKey, check: "COS refusals", result: "skipped", text: "a permanent key, the deployer's or the owner's, may delete below data/"},
		"deleting not known":    {options: cos(novel), check: "COS refusals", result: "warning", text: "not known"},
		"clock a minute off":    {options: func(o *world.Options) { o.COS.Now = func() time.Time { return time.Now().Add(time.Minute) } }, check: "clock", result: "warning"},
		"clock an hour off":     {options: func(o *world.Options) { o.COS.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, check: "clock"},
		"Invoke refused":        {options: cloud(cloudemu.Fault{Code: "UnauthorizedOperation"}), check: "hand-over", text: "scf:Invoke"},
		"cloud API unreachable": {env: map[string]string{"CLOUD_ENDPOINT": "http://127.0.0.1:1"}, args: []string{"--group", "g"}, check: "hand-over"},
		"topic refused":         {env: map[string]string{"REQUEUE": "cmq", "CMQ_TOPIC": "t"}, options: cloud(cloudemu.Fault{Code: "UnauthorizedOperation"}), args: []string{"--group", "g"}, check: "hand-over", text: "tdmq:PublishCmqMsg"},
		"topic cannot be tried": {env: map[string]string{"REQUEUE": "cmq", "CMQ_TOPIC": "t"}, check: "hand-over", result: "skipped"},
		"time limit impossible": {args: []string{"--time-limit", "20m"}, check: "time limit"},
		"time limit short":      {args: []string{"--time-limit", "3s"}, check: "time limit", result: "warning"},
		"memory too small":      {args: []string{"--memory", "64"}, check: "memory"},
		"chunks too large":      {env: map[string]string{"EXPORT_CHUNK_BYTES": "67108864"}, check: "memory"},
		"odd memory":            {args: []string{"--memory", "130"}, check: "memory", result: "warning"},
	}
}

func TestAilment_IsFoundByItsCheck(t *testing.T) {
	t.Parallel()
	for name, a := range ailments() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := healthy()
			if a.options != nil {
				a.options(&o)
			}
			w := world.New(t, o)
			w.Group("g", 5)
			send(t, w, "g", sound())
			maps.Copy(w.Env, a.env)
			code, checks := run(t, w.Env, a.args...)
			got := checks[a.check]
			want := a.result
			if want == "" {
				want = "failed"
			}
			if got.Result != want || !strings.Contains(got.Text+"; "+got.Advice, a.text) {
				t.Errorf("%s: %+v, want %s with %q", a.check, got, want, a.text)
			}
			wantCode := a.code
			if wantCode == 0 && want == "failed" {
				wantCode = 1
			}
			if code != wantCode {
				t.Errorf("exit code %d, want %d", code, wantCode)
			}
			for _, c := range checks {
				if c.Result == "failed" && c.Name != a.check && !strings.Contains(a.also, c.Name) {
					t.Errorf("also failed: %+v", c)
				}
			}
		})
	}
}

// The role's policy and this command agree about what the function needs.
func TestRole_IsHealthyWithItsPolicy(t *testing.T) {
	t.Parallel()
	e := policytest.New(t, "", policy.Role, policy.Bucket)
	e.Refused = func(string, string) {}
	w := world.New(t, world.Options{COS: cosemu.Options{Fault: e.COS}, Env: map[string]string{"EXPORT_MEDIA": "on", "EXPORT_LOOK": "auto"}})
	code, checks := run(t, w.Env)
	for name, c := range checks {
		if strings.HasPrefix(name, "COS ") && (c.Result == "ok") != (name != "COS listing") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestFile_NewestIsFetchedAsTheFunctionWould(t *testing.T) {
	t.Parallel()
	signed, gone, broken := sound(), sound(), sound()
	signed.Access = mediaemu.Signed403
	gone.Missing = true
	broken.Troubles = []mediaemu.Trouble{{Times: -1, Reset: true}}
	banned := signed
	banned.Banned = true
	denied := sound()
	denied.Access = mediaemu.Denied
	for name, test := range map[string]struct {
		files  []any // oldest first
		args   []string
		result string
		text   string
	}{
		"as it stands":      {[]any{sound()}, nil, "ok", "the sound of seq 1 of g came from 127.0.0.1:-, as its URL stands: audio/wav, "},
		"signed":            {[]any{signed}, nil, "ok", "the sound of seq 1 of g came from 127.0.0.1:-, by a signed URL: audio/wav, "},
		"one of several":    {[]any{sound(), gone}, nil, "ok", "the sound of seq 1 of g came"},
		"of the group":      {[]any{sound()}, []string{"--group", "empty"}, "skipped", "no file in the newest messages"},
		"none":              {nil, nil, "skipped", "no file in the newest messages"},
		"gone":              {[]any{gone}, nil, "warning", "the sound of seq 1 of g did not come from 127.0.0.1:-: file gone (http_404)"},
		"banned":            {[]any{banned}, nil, "warning", "file banned"},
		"refused":           {[]any{denied}, nil, "failed", "file refused (http_403); scripts/firstrun.sh"},
		"nobody answers":    {[]any{broken}, nil, "failed", "a NAT gateway"},
		"on an unknown one": {[]any{"https://files.example.com/secret.wav"}, nil, "skipped", "no file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, healthy())
			w.Group("empty", 0)
			w.Group("g", 0)
			send(t, w, "g", test.files...)
			_, checks := run(t, w.Env, test.args...)
			got := checks["files"]
			text := regexp.MustCompile(`127.0.0.1:\d+`).ReplaceAllString(got.Text+"; "+got.Advice, "127.0.0.1:-")
			if got.Result != test.result || !strings.Contains(text, test.text) {
				t.Errorf("%+v, want %s with %q", got, test.result, test.text)
			}
		})
	}
}

func TestFile_HostsOffTheListAreNamed(t *testing.T) {
	t.Parallel()
	w := world.New(t, healthy())
	w.Group("g", 0)
	send(t, w, "g", "https://B.example.com/secret.wav", "https://a.example.com:8443/secret.wav", "ftp://c.example.com/secret.wav", sound())
	code, checks := run(t, w.Env)
	got := checks["files elsewhere"]
	if code != 0 || got.Result != "warning" || !strings.Contains(got.Text, "files on a.example.com, b.example.com, which") || !strings.Contains(got.Advice, "MEDIA_HOSTS") {
		t.Errorf("exit code %d: %+v", code, got)
	}
	if n := w.Media.Counters().Requests; n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestTick_OfTheGroupIsPublished(t *testing.T) {
	t.Parallel()
	for _, requeue := range []string{"scf", "cmq"} {
		w := world.New(t, healthy())
		w.Group("g", 5)
		w.Env["REQUEUE"], w.Env["CMQ_TOPIC"] = requeue, "topic"
		code, checks := run(t, w.Env, "--group", "g")
		if n, _ := w.Queue.Len(); code != 0 || n != 1 || checks["hand-over"].Result != "ok" || checks["Chat history"].Result != "ok" {
			t.Errorf("%s: exit code %d, %d events: %+v", requeue, code, n, checks)
		}
		if _, failures := w.Drain(w.Instance()); len(failures) > 0 {
			t.Errorf("%s: the function cannot serve the tick: %v", requeue, failures)
		}
	}
}
