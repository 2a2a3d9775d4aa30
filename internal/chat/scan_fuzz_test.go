package chat_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, text := range []string{
		officialPage, "", "{}", "[]", "null", `{"MsgSeq":1}`, `{"MsgSeq":"7","a":[1,-0.5e+3,true,false,null,"\ud83d\ude00"]}`,
		"{\"MsgSeq\":1,\"a\":\"\xff猫\xe7\x8c\"}", `{"M\u0073gSeq":3}`, "\t{ \"MsgSeq\" : 9 , \"b\" : [ { } , [ ] ] }\n",
		`{"RspMsgList":[{"MsgSeq":4294967295}],"ErrorCode":"-1","ErrorInfo":"\"x\"","IsFinished":2}`, `{"a":"\u00`, `{"a":01}`, "{\"a\":\"\x01\"}",
	} {
		f.Add([]byte(text))
	}
}

// FuzzScanElement proves that an element is accepted exactly if encoding/json takes it and it has a usable MsgSeq, that
// its JSON means the same as what came, and that reading it back gives the same element.
func FuzzScanElement(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		e, err := chat.ScanElement(raw)
		if !bytes.Equal(raw, before) {
			t.Fatal("the input was changed")
		}
		var members map[string]json.RawMessage
		jsonErr := json.Unmarshal(raw, &members)
		seq, _ := wantInt(members["MsgSeq"])
		if usable := jsonErr == nil && seq >= 1 && seq <= int64(chat.MaxSeq) && depth(raw) <= 512; usable != (err == nil) {
			t.Fatalf("%q: error %v, encoding/json %v, seq %d", raw, err, jsonErr, seq)
		}
		if err != nil {
			return
		}
		place, _ := wantInt(members["IsPlaceMsg"])
		ts, _ := wantInt(members["MsgTimeStamp"])
		system, _ := wantInt(members["IsSystemMsg"])
		_, hasGroup := members["GroupId"]
		_, hasTopic := members["TopicId"]
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			t.Fatal(err)
		}
		want := chat.Element{
			Seq: chat.Seq(seq), Time: max(ts, 0), Place: int(place), System: system == 1, HasGroupID: hasGroup, HasTopicID: hasTopic,
			JSON: repaired(compact.Bytes()), Repaired: !utf8.Valid(raw), Malformed: e.Malformed,
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", raw, diff)
		}
		again, err := chat.ScanElement(e.JSON)
		want.Repaired = false
		if diff := cmp.Diff(want, again); err != nil || diff != "" {
			t.Fatalf("%q read back: %v (-want +got):\n%s", e.JSON, err, diff)
		}
	})
}

// FuzzScanPage proves that what is accepted is valid JSON with the values that encoding/json finds in it, and that valid
// JSON is refused for its shape only.
func FuzzScanPage(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		page, status, err := chat.ScanPage(body)
		var members map[string]json.RawMessage
		jsonErr := json.Unmarshal(body, &members)
		if err != nil {
			if jsonErr == nil && members != nil && acceptable(members) && depth(body) <= 512 {
				t.Fatalf("%q was refused: %v", body, err)
			}
			return
		}
		if jsonErr != nil {
			t.Fatalf("%q: encoding/json says %v", body, jsonErr)
		}
		var list []json.RawMessage
		if raw, ok := members["RspMsgList"]; ok {
			if err := json.Unmarshal(raw, &list); err != nil {
				t.Fatal(err)
			}
		}
		if len(list) != len(page.Elements) {
			t.Fatalf("%q: %d elements, want %d", body, len(page.Elements), len(list))
		}
		for i, raw := range list {
			want, err := chat.ScanElement(raw)
			if diff := cmp.Diff(want, page.Elements[i]); err != nil || diff != "" {
				t.Fatalf("%q: element %d: %v (-want +got):\n%s", body, i, err, diff)
			}
		}
		code, hasCode := wantInt(members["ErrorCode"])
		finished, hasFinished := wantInt(members["IsFinished"])
		if !hasFinished {
			finished = chat.FinishedAbsent
		}
		info, hasInfo := wantString(members["ErrorInfo"])
		action, hasAction := wantString(members["ActionStatus"])
		want := chat.Status{
			ActionStatus: action, ErrorCode: int(code), ErrorInfo: info,
			HasActionStatus: hasAction, HasErrorCode: hasCode, HasErrorInfo: hasInfo,
		}
		if diff := cmp.Diff(want, status); diff != "" || page.Finished != int(finished) {
			t.Fatalf("%q: finished %d, want %d (-want +got):\n%s", body, page.Finished, finished, diff)
		}
	})
}

// acceptable says whether a page that is valid JSON has the documented shape.
func acceptable(members map[string]json.RawMessage) bool {
	isNull := func(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }
	if _, ok := wantString(members["ActionStatus"]); !ok && !isNull(members["ActionStatus"]) {
		return false
	}
	if _, ok := wantInt(members["ErrorCode"]); !ok && !isNull(members["ErrorCode"]) {
		return false
	}
	raw := members["RspMsgList"]
	if isNull(raw) {
		return true
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return false
	}
	for _, element := range list {
		if _, err := chat.ScanElement(element); err != nil {
			return false
		}
	}
	return true
}

func wantString(raw json.RawMessage) (string, bool) {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	text, ok := value.(string)
	return text, ok
}

// wantInt is a slow reading of an integer, or of a string that is one, of at most 18 digits.
func wantInt(raw json.RawMessage) (int64, bool) {
	text, ok := wantString(raw)
	if !ok {
		text = string(raw)
	}
	rest, negative := bytes.CutPrefix([]byte(text), []byte("-"))
	if len(rest) == 0 || len(rest) > 18 || len(bytes.Trim(rest, "0123456789")) > 0 {
		return 0, false
	}
	var n int64
	for _, c := range rest {
		n = 10*n + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

func repaired(text []byte) []byte { return []byte(string([]rune(string(text)))) }

// depth returns how deep valid JSON is nested.
func depth(raw []byte) int {
	deepest, n := 0, 0
	inString := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			n++
			deepest = max(deepest, n)
		case c == '}' || c == ']':
			n--
		}
	}
	return deepest
}
