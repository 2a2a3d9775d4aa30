package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/config"
)

const secret = "c0ffee00c0ffee00c0ffee00c0ffee00"

// env returns a complete environment with changes; an empty value unsets a variable.
func env(changes ...string) func(string) string {
	vars := map[string]string{
		"CHAT_SDKAPPID":   "1400000000",
		"CHAT_SECRET_KEY": secret,
		"COS_BUCKET":      "archive-1250000000",
		"COS_REGION":      "ap-guangzhou",
	}
	for i := 0; i < len(changes); i += 2 {
		vars[changes[i]] = changes[i+1]
	}
	return func(name string) string { return vars[name] }
}

func compare(t *testing.T, want, got config.Config) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func defaults() config.Config {
	return config.Config{
		ChatSDKAppID: 1400000000, ChatSecretKey: config.NewSecret(secret), ChatAdmin: "administrator", ChatEndpoint: "https://console.tim.qq.com",
		ChatQPS: 90, ChatConcurrency: 16, ChatRetentionDays: 7,
		COSBucket: "archive-1250000000", COSRegion: "ap-guangzhou",
		Requeue: "scf", ExportSpan: 100000, ExportChunkBytes: 16777216, ExportVoid: "probe", ExportMaxHops: 10000,
		ExportMedia: true, ExportLook: 126 * time.Hour, MediaMaxBytes: 104857600,
		LogLevel: "info",
	}
}

func TestDefaults_AreThoseDocumented(t *testing.T) {
	t.Parallel()
	got, err := config.Load(env())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, defaults(), got)
	if w := got.Warnings(); len(w) != 0 {
		t.Errorf("the defaults warn: %q", w)
	}
}

func TestVariables_AreAllRead(t *testing.T) {
	t.Parallel()
	got, err := config.Load(env(
		"CHAT_SDKAPPID", " 1600000000\n", "CHAT_SECRET_KEY", secret+"\n", "CHAT_ADMIN", "root", "CHAT_REGION", "Singapore",
		"CHAT_ENDPOINT", "http://127.0.0.1:8080/", "CHAT_QPS", "200", "CHAT_CONCURRENCY", "1", "CHAT_RETENTION_DAYS", "90",
		"COS_BUCKET", "a-b-1250000000", "COS_REGION", "ap-shanghai-fsi", "COS_PREFIX", "chat/prod", "COS_ENDPOINT", "http://[::1]:9000/",
		"REQUEUE", "cmq", "CMQ_TOPIC", "chat-export_1", "CLOUD_ENDPOINT", "https://cloud.example.com/cloud/",
		"EXPORT_SPAN", "40", "EXPORT_CHUNK_BYTES", "1024", "EXPORT_VOID", "exhaustive", "EXPORT_MAX_HOPS", "1",
		"EXPORT_MEDIA", "Off", "EXPORT_LOOK", "1h30m", "MEDIA_HOSTS", "Files.example.com., *.Example.org,127.0.0.1,[::1],", "MEDIA_MAX_BYTES", "503316480",
		"SWEEP_LANES", "4", "LOG_LEVEL", "DEBUG",
	))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, config.Config{
		ChatSDKAppID: 1600000000, ChatSecretKey: config.NewSecret(secret), ChatAdmin: "root",
		ChatEndpoint: "http://127.0.0.1:8080", ChatQPS: 200, ChatConcurrency: 1, ChatRetentionDays: 90,
		COSBucket: "a-b-1250000000", COSRegion: "ap-shanghai-fsi", COSPrefix: "chat/prod/", COSEndpoint: "http://[::1]:9000",
		Requeue: "cmq", CMQTopic: "chat-export_1", CloudEndpoint: "https://cloud.example.com/cloud",
		ExportSpan: 40, ExportChunkBytes: 1024, ExportVoid: "exhaustive", ExportMaxHops: 1,
		ExportMedia: false, ExportLook: 90 * time.Minute, MediaHosts: config.Hosts{"files.example.com", "*.example.org", "127.0.0.1", "::1"}, MediaMaxBytes: 503316480,
		LanesSet: true, LogLevel: "debug",
	}, got)
	if w := got.Warnings(); len(w) != 1 || !strings.Contains(w[0], "SWEEP_LANES is set but not used") {
		t.Errorf("warnings %q", w)
	}
}

func TestRegions_AllHaveAnAddress(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, region := range []string{"china", "singapore", "seoul", "tokyo", "frankfurt", "mumbai", "siliconvalley", "jakarta"} {
		got, err := config.Load(env("CHAT_REGION", region))
		if _, wrong := config.BaseURL(got.ChatEndpoint); err != nil || wrong != nil || seen[got.ChatEndpoint] {
			t.Errorf("%s: %q, %v", region, got.ChatEndpoint, err)
		}
		seen[got.ChatEndpoint] = true
	}
}

// problems returns the variables that an error of Load names, in order.
func problems(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("not a join of problems: %v", err)
	}
	var names []string
	for _, e := range joined.Unwrap() {
		p, ok := errors.AsType[*config.Error](e)
		if !ok || p.Problem == "" || p.Advice == "" {
			t.Fatalf("not a problem of one variable: %v", e)
		}
		if !strings.Contains(err.Error(), p.Variable) {
			t.Errorf("the text does not name %s", p.Variable)
		}
		names = append(names, p.Variable)
	}
	return names
}

func TestProblems_AreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := config.Load(func(string) string { return "" })
	want := []string{"CHAT_SDKAPPID", "CHAT_SECRET_KEY", "COS_BUCKET", "COS_REGION"}
	if diff := cmp.Diff(want, problems(t, err)); diff != "" {
		t.Errorf("an empty environment (-want +got):\n%s", diff)
	}
	_, err = config.Load(func(string) string { return "hunter2 \x01" })
	if got := problems(t, err); len(got) != 24 {
		t.Errorf("%d of 24 variables were refused: %q", len(got), got)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an error repeats a value: %v", err)
	}
}

func TestProblems_AreWhatCannotWork(t *testing.T) {
	t.Parallel()
	for variable, values := range map[string][]string{
		"CHAT_SDKAPPID":       {"0", "-1", "abc", "4294967296", "1.5", "undefined"},
		"CHAT_SECRET_KEY":     {"a b", "a\tb", strings.Repeat("a", 257), "${env:CHAT_SECRET_KEY}", "\xff"},
		"CHAT_ADMIN":          {strings.Repeat("a", 33), "a b"},
		"CHAT_REGION":         {"guangzhou", "cn"},
		"CHAT_ENDPOINT":       {"http://console.tim.qq.com", "http://10.0.0.1", "ftp://127.0.0.1", "127.0.0.1:80", "https://", "https://u:p@host", "https://host?a=b", "https://host/#f", "http://127.0.0.1.example.com", "::"},
		"CHAT_QPS":            {"0", "10001", "-5", "fast", "1e2"},
		"CHAT_CONCURRENCY":    {"0", "201"},
		"CHAT_RETENTION_DAYS": {"0", "3651"},
		"COS_BUCKET":          {"archive", "Archive-1250000000", "-a-1250000000", "a/b-1250000000", strings.Repeat("a", 60) + "-1250000000", "archive-12"},
		"COS_REGION":          {"guangzhou", "ap guangzhou", "ap-guangzhou.example.com", "ap-" + strings.Repeat("a", 60)},
		"COS_PREFIX":          {"/chat", "a//b", "a/../b", "./a", "/", "chat export", "a?b", "ä", strings.Repeat("a", 128)},
		"COS_ENDPOINT":        {"http://cos.example.com", "https://host/path"},
		"REQUEUE":             {"kafka"},
		"CMQ_TOPIC":           {"1topic", "a b", strings.Repeat("a", 65)},
		"CLOUD_ENDPOINT":      {"http://scf.tencentcloudapi.com", "scf.tencentcloudapi.com"},
		"EXPORT_SPAN":         {"0", "10000001"},
		"EXPORT_CHUNK_BYTES":  {"1023", "268435457"},
		"EXPORT_VOID":         {"none"},
		"EXPORT_MAX_HOPS":     {"0", "1000001"},
		"EXPORT_MEDIA":        {"yes", "1"},
		"EXPORT_LOOK":         {"never", "72", "0s", "-1h", "1e9h", "100000h"},
		"MEDIA_HOSTS":         {"https://files.example.com", "files.example.com:443", "127.0.0.1", "localhost", "::1", "files.example.com,[::1]", "*", "*.", "*.127.0.0.1", "*.*.example.com", "a..b", "-a.example", "10.0.0", "8080", "fe80::1%eth0", "exämple.com", "a b"},
		"MEDIA_MAX_BYTES":     {"0", "503316481", "100MB"},
		"LOG_LEVEL":           {"trace", "loud"},
	} {
		for _, value := range values {
			t.Run(fmt.Sprintf("%s=%.20q", variable, value), func(t *testing.T) {
				t.Parallel()
				got, err := config.Load(env(variable, value))
				if diff := cmp.Diff([]string{variable}, problems(t, err)); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
				compare(t, config.Config{}, got)
			})
		}
	}
}

func TestProblems_AreCMQWithoutATopic(t *testing.T) {
	t.Parallel()
	_, err := config.Load(env("REQUEUE", "cmq"))
	if diff := cmp.Diff([]string{"CMQ_TOPIC"}, problems(t, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := config.Load(env("CMQ_TOPIC", "topic"))
	if err != nil || len(got.Warnings()) != 1 {
		t.Errorf("error %v, warnings %q", err, got.Warnings())
	}
}

func TestWarnings_FilesThatDoNotFitSideBySide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"MEDIA_MAX_BYTES", "134217728"}, ""},
		{[]string{"MEDIA_MAX_BYTES", "134217729"}, "3 at once are fetched instead of 4"},
		{[]string{"MEDIA_MAX_BYTES", "503316480"}, ": 1 at once"},
		{[]string{"MEDIA_MAX_BYTES", "503316480", "EXPORT_MEDIA", "off"}, ""},
	} {
		got, err := config.Load(env(c.env...))
		if text := strings.Join(got.Warnings(), "; "); err != nil || (text == "") != (c.want == "") || !strings.Contains(text, c.want) {
			t.Errorf("%v: error %v, warnings %q, want %q", c.env, err, text, c.want)
		}
	}
}

func TestHosts_AreThoseListed(t *testing.T) {
	t.Parallel()
	hosts, err := config.ParseHosts(" Files.Example.com ,*.media.example.org, 203.0.113.7,2001:DB8:0::7,")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"files.example.com": true, "FILES.example.COM.": true, "x.files.example.com": false, "example.com": false, "files.example.com.evil.net": false,
		"a.media.example.org": true, "a.b.media.example.org": true, "media.example.org": false, ".media.example.org": false, "xmedia.example.org": false,
		"203.0.113.7": true, "::ffff:203.0.113.7": true, "203.0.113.70": false, "2001:db8::7": true, "": false,
	} {
		if got := hosts.Has(host); got != want {
			t.Errorf("%q is listed: %t, want %t", host, got, want)
		}
	}
	if _, err := config.ParseHosts("a.example,,b:80"); err == nil || !strings.Contains(err.Error(), "number 3,") || strings.Contains(err.Error(), "b:80") {
		t.Errorf("error %v, want one that tells the third entry", err)
	}
}

func TestHosts_AreThisMachineWhereTheChatServiceIs(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"localhost", "127.0.0.1", "127.3.0.1", "a.example,[::1]", "LocalHost."} {
		c, err := config.Load(env("MEDIA_HOSTS", list, "CHAT_ENDPOINT", "http://127.0.0.1:8080"))
		if err != nil || !c.LoopbackMedia() {
			t.Errorf("%s: %v", list, err)
		}
		_, err = config.Load(env("MEDIA_HOSTS", list, "CHAT_ENDPOINT", "https://chat.example"))
		if diff := cmp.Diff([]string{"MEDIA_HOSTS"}, problems(t, err)); diff != "" {
			t.Errorf("%s beside another service (-want +got):\n%s", list, diff)
		}
	}
	if c, err := config.Load(env("MEDIA_HOSTS", "a.example", "CHAT_ENDPOINT", "http://localhost:1")); err != nil || c.LoopbackMedia() {
		t.Errorf("another host: %v", err)
	}
}

func TestLook_LeavesTimeBeforeMessagesExpire(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		look, days string
		want       time.Duration
		warns      bool
	}{
		{"", "", 126 * time.Hour, false},
		{"AUTO", "28", 21 * 24 * time.Hour, false},
		{"off", "", 0, false},
		{"147h", "", 147 * time.Hour, false},
		{"147h1s", "", 147*time.Hour + time.Second, true},
		{"1s", "1", time.Second, false},
	} {
		c, err := config.Load(env("EXPORT_LOOK", test.look, "CHAT_RETENTION_DAYS", test.days))
		if err != nil || c.ExportLook != test.want {
			t.Errorf("%+v: %v, %v", test, c.ExportLook, err)
		}
		if w := c.Warnings(); (len(w) == 1 && strings.HasPrefix(w[0], "EXPORT_LOOK ")) != test.warns {
			t.Errorf("%+v: warnings %q", test, w)
		}
	}
}

func TestPrefix_GetsItsTrailingSlashOnce(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"": "", "a": "a/", "a/": "a/", "a/b=1/c.d": "a/b=1/c.d/", strings.Repeat("a", 127): strings.Repeat("a", 127) + "/"} {
		got, err := config.Load(env("COS_PREFIX", value))
		if err != nil || got.COSPrefix != want {
			t.Errorf("%q became %q, error %v", value, got.COSPrefix, err)
		}
	}
}

func TestCredentials_AreRead(t *testing.T) {
	t.Parallel()
	full := []string{"TENCENTCLOUD_SECRETID", "AKIDx", "TENCENTCLOUD_SECRETKEY", "key", "TENCENTCLOUD_SESSIONTOKEN", "token"}
	got, err := config.LoadCredentials(env(full...))
	if err != nil {
		t.Fatal(err)
	}
	if got.SecretID.Reveal() != "AKIDx" || got.SecretKey.Reveal() != "key" || got.Token.Reveal() != "token" {
		t.Error("not the credentials of the environment")
	}
	got, err = config.LoadCredentials(env(full[:4]...))
	if err != nil || !got.Token.Empty() {
		t.Errorf("a permanent key was refused: %v", err)
	}
	for _, missing := range []string{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY"} {
		_, err := config.LoadCredentials(env(append(append([]string{}, full...), missing, "")...))
		p, ok := errors.AsType[*config.Error](err)
		if !ok || p.Variable != missing || !strings.Contains(p.Advice, "role in serverless.yml") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	if _, err := config.LoadCredentials(env(append(append([]string{}, full...), "TENCENTCLOUD_SESSIONTOKEN", "a\nb")...)); err == nil {
		t.Error("a token that cannot be a header was accepted")
	}
}

func TestPlatform_IsRead(t *testing.T) {
	t.Parallel()
	got := config.LoadPlatform(env("SCF_FUNCTIONNAME", "f", "SCF_FUNCTIONVERSION", "$LATEST", "SCF_NAMESPACE", "default", "TENCENTCLOUD_REGION", "ap-guangzhou"))
	if diff := cmp.Diff(config.Platform{Function: "f", Version: "$LATEST", Namespace: "default", Region: "ap-guangzhou"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
