package chat_test

import (
	"testing"

	"chatexport/internal/chat"
)

func TestCompare_TellsAnEditFromAnotherMessageAndFromAnotherSpelling(t *testing.T) {
	t.Parallel()
	const was = `{"From_Account":"a","MsgRandom":7,"MsgTimeStamp":9,"MsgSeq":3,"MsgBody":[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"https://h/a?sig=1"}]}},{"MsgType":"TIMTextElem","MsgContent":{"Text":"https://t?a=1"}}],"CloudCustomData":"c"}`
	for name, c := range map[string]struct {
		now  string
		want chat.Likeness
	}{
		"the same":            {was, chat.Alike},
		"order and spelling":  {`{"MsgSeq":3,"MsgBody":[{"MsgContent":{"ImageInfoArray":[{"URL":"https:\/\/h\/a?sig=2","Type":1}]},"MsgType":"TIMImageElem"}, {"MsgType":"TIMTextElem","MsgContent":{"Text":"https://t?a=\u0031"}}],"CloudCustomData":"c","MsgTimeStamp":9,"MsgRandom":7,"From_Account":"a"}`, chat.Alike},
		"other members":       {`{"GroupId":"g","MsgPriority":1,` + was[1:], chat.Alike},
		"another file":        {`{"From_Account":"a","MsgRandom":7,"MsgTimeStamp":9,"MsgBody":[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"https://h/b?sig=1"}]}},{"MsgType":"TIMTextElem","MsgContent":{"Text":"https://t?a=1"}}],"CloudCustomData":"c"}`, chat.Edited},
		"another URL as text": {`{"From_Account":"a","MsgRandom":7,"MsgTimeStamp":9,"MsgBody":[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"https://h/a?sig=1"}]}},{"MsgType":"TIMTextElem","MsgContent":{"Text":"https://t?a=2"}}],"CloudCustomData":"c"}`, chat.Edited},
		"other custom data":   {was[:len(was)-3] + `d"}`, chat.Edited},
		"no custom data":      {`{"From_Account":"a","MsgRandom":7,"MsgTimeStamp":9,"MsgBody":[]}`, chat.Edited},
		"another sender":      {`{"From_Account":"b",` + was[len(`{"From_Account":"a",`):], chat.Unlike},
		"another random":      {`{"From_Account":"a","MsgRandom":8,` + was[len(`{"From_Account":"a","MsgRandom":7,`):], chat.Unlike},
		"another time":        {`{"From_Account":"a","MsgRandom":7,"MsgTimeStamp":8,"MsgBody":[]}`, chat.Unlike},
		"a large number":      {`{"From_Account":"a","MsgRandom":7,"MsgTimeStamp":9,"MsgBody":10000000000000001}`, chat.Edited},
	} {
		if got := chat.Compare([]byte(was), []byte(c.now)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := chat.Compare([]byte(`{"MsgBody":10000000000000001}`), []byte(`{"MsgBody":10000000000000002}`)); got != chat.Edited {
		t.Errorf("numbers that a float cannot tell apart: %d", got)
	}
}
