package variables_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"chatexport/scripts/internal/variables"
)

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func TestEnvironment_HasPrecedenceOverTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "COS_REGION=ap-shanghai\nCOS_BUCKET='from-file-1250000000'\n")
	got, err := variables.Read(path, getenv(map[string]string{"COS_REGION": "ap-guangzhou"}))
	if err != nil || got("COS_REGION") != "ap-guangzhou" || got("COS_BUCKET") != "from-file-1250000000" {
		t.Errorf("region %q, bucket %q: %v", got("COS_REGION"), got("COS_BUCKET"), err)
	}
	write(t, path, "CHAT_SECRET_KEY=\"hunter2\n")
	if _, err := variables.Read(path, os.Getenv); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := variables.Read(filepath.Join(t.TempDir(), "missing"), os.Getenv); err == nil {
		t.Error("a file that was named may be missing")
	}
	if _, err := variables.Read("", os.Getenv); err != nil {
		t.Errorf("without a file: %v", err)
	}
}

func TestFile_NamesThatNobodyKnowsAreFound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "MEDIA_HOST=a\nMEDIA_HOSTS=b\nEXPORT_MEDIA=off\nCHAT_QPSS=50\nCHATEXPORT_ROLE=c\nTENCENT_SECRET_ID=d\nHOME=e\n")
	warnings := variables.Warnings(path, getenv(nil))
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "CHAT_QPSS in ") || !strings.HasPrefix(warnings[1], "MEDIA_HOST in ") {
		t.Errorf("%q", warnings)
	}
	known := func(name string) bool { return name == "MEDIA_HOSTS" }
	if got := variables.Unused(path, known); !slices.Equal(got, []string{"CHATEXPORT_ROLE", "EXPORT_MEDIA"}) {
		t.Errorf("not used: %q", got)
	}
}

func TestFile_PlaceholderOfAnExampleCountsAsNotSet(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "CHAT_SECRET_KEY=...            # Chat console\nCOS_PREFIX=<prefix>\nTENCENT_SECRET_ID=...\n")
	env := getenv(map[string]string{"TENCENT_SECRET_ID": "AKID"})
	got, err := variables.Read(path, env)
	if err != nil || got("CHAT_SECRET_KEY") != "" || got("COS_PREFIX") != "" || got("TENCENTCLOUD_SECRETID") != "AKID" {
		t.Errorf("%q, %q, %q: %v", got("CHAT_SECRET_KEY"), got("COS_PREFIX"), got("TENCENTCLOUD_SECRETID"), err)
	}
	warnings := variables.Warnings(path, env)
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "CHAT_SECRET_KEY in ") || !strings.HasPrefix(warnings[1], "COS_PREFIX in ") {
		t.Errorf("%q", warnings)
	}
}

// Editors on Windows write other ends of lines and marks in front.
func TestFile_OfOtherEditorsIsReadOrRefusedByTheTruth(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, refused string }{
		"carriage returns":  {text: "COS_REGION=ap-guangzhou\r\n\r\nCHATEXPORT_ROLE=chatexport\r\n"},
		"a mark in front":   {text: "\ufeffCOS_REGION=ap-guangzhou\nCHATEXPORT_ROLE=chatexport\n"},
		"UTF-16":            {text: "\xff\xfeC\x00O\x00S\x00", refused: "UTF-16"},
		"UTF-16 unmarked":   {text: "C\x00O\x00S\x00_\x00", refused: "UTF-16"},
		"control character": {text: "COS_REGION=ap-guangzhou\nCHATEXPORT_ROLE='chat\x01export'\n", refused: "CHATEXPORT_ROLE"},
		"outer spaces":      {text: "COS_REGION=ap-guangzhou\nCHATEXPORT_ROLE=' chatexport'\n", refused: "CHATEXPORT_ROLE"},
	} {
		path := filepath.Join(t.TempDir(), ".env")
		write(t, path, test.text)
		got, err := variables.Read(path, getenv(nil))
		switch {
		case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused) || strings.Contains(err.Error(), "guangzhou")):
			t.Errorf("%s: %v", name, err)
		case test.refused == "" && (err != nil || got("COS_REGION") != "ap-guangzhou" || got("CHATEXPORT_ROLE") != "chatexport"):
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := variables.Read(t.TempDir(), getenv(nil)); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
}

func TestFile_OfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "COS_PREFIX=chat\n")
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Skip("only root can give a file away")
	}
	if _, err := variables.Read(path, getenv(nil)); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Error(err)
	}
}

func TestFile_ThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("rights are not in the mode of a file here")
	}
	for mode, want := range map[os.FileMode]struct{ refused, warned bool }{
		0o600: {}, 0o400: {}, 0o640: {warned: true}, 0o644: {warned: true}, 0o620: {refused: true}, 0o602: {refused: true}, 0o666: {true, true},
	} {
		path := filepath.Join(t.TempDir(), ".env")
		write(t, path, "COS_PREFIX=chat\n")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := variables.Read(path, os.Getenv)
		if (err != nil) != want.refused || (len(variables.Warnings(path, os.Getenv)) > 0) != (want.warned && !want.refused) {
			t.Errorf("%v: %v, %q", mode, err, variables.Warnings(path, os.Getenv))
		}
	}
}

func TestKey_HasTwoNamesAndOnePlace(t *testing.T) {
	t.Parallel()
	const deploying, function = "TENCENT_SECRET_ID=id\nTENCENT_SECRET_KEY=key\nTENCENT_TOKEN=token\n",
		"TENCENTCLOUD_SECRETID=role\nTENCENTCLOUD_SECRETKEY=rolekey\n"
	for name, test := range map[string]struct {
		file string
		env  map[string]string
		want string
	}{
		"the names of the command line": {deploying, nil, "id key token"},
		"the function's go first":       {deploying + function, nil, "role rolekey "},
		"a key of the environment leaves the file's token": {
			deploying, map[string]string{"TENCENTCLOUD_SECRETID": "other", "TENCENTCLOUD_SECRETKEY": "otherkey"}, "other otherkey ",
		},
		"in the environment, too": {function, map[string]string{"TENCENT_SECRET_ID": "a", "TENCENT_SECRET_KEY": "b"}, "a b "},
		"none":                    {"COS_PREFIX=chat\n", nil, "  "},
	} {
		path := filepath.Join(t.TempDir(), ".env")
		write(t, path, test.file)
		got, err := variables.Read(path, getenv(test.env))
		if err != nil {
			t.Fatal(err)
		}
		parts := []string{got("TENCENTCLOUD_SECRETID"), got("TENCENTCLOUD_SECRETKEY"), got("TENCENTCLOUD_SESSIONTOKEN")}
		if strings.Join(parts, " ") != test.want {
			t.Errorf("%s: %q, want %q", name, parts, test.want)
		}
	}
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}
