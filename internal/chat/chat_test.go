package chat_test

import (
	"errors"
	"strings"
	"testing"

	"chatexport/internal/chat"
)

func TestStream_ValidateRefusesIDsThatNoStreamHas(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for _, s := range []chat.Stream{
		{},
		{TopicID: "t"},
		{GroupID: long},
		{GroupID: "g", TopicID: long},
		{GroupID: "g", TopicID: "-"},
		{GroupID: "g\xff"},
		{GroupID: "g", TopicID: "\xc0"},
	} {
		err := s.Validate()
		if !errors.Is(err, chat.ErrInvalidStream) {
			t.Errorf("%q: error is %v", s, err)
		} else if strings.Contains(err.Error(), long) {
			t.Errorf("%q: the error repeats an overlong id", s)
		}
	}
	for _, s := range []chat.Stream{{GroupID: "-"}, {GroupID: "@TGS#_x", TopicID: "@TGS#_x@TOPIC#_y"}, {GroupID: long[1:], TopicID: "../猫"}} {
		if err := s.Validate(); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestClass_IsDecidedInOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		element  chat.Element
		want     chat.Class
		retained bool
	}{
		{chat.Element{}, chat.ClassMessage, true},
		{chat.Element{System: true}, chat.ClassSystem, true},
		{chat.Element{Place: chat.PlaceHole}, chat.ClassPlaceholder, false},
		{chat.Element{Place: chat.PlaceHole, System: true}, chat.ClassPlaceholder, false},
		{chat.Element{Place: chat.PlaceRecalled, System: true}, chat.ClassRecalled, true},
		{chat.Element{Place: 3}, chat.ClassPlaceholder, true},
		{chat.Element{Place: -1}, chat.ClassPlaceholder, true},
	} {
		if got := test.element.Class(); got != test.want {
			t.Errorf("%+v: class %d, want %d", test.element, got, test.want)
		}
		if got := test.element.Retained(); got != test.retained {
			t.Errorf("%+v: retained %v", test.element, got)
		}
	}
}

func TestPage_NewestReliesOnNoOrder(t *testing.T) {
	t.Parallel()
	page := chat.Page{Elements: []chat.Element{{Seq: 5}, {Seq: chat.MaxSeq}, {Seq: 7}}}
	if got := page.Newest(); got != chat.MaxSeq {
		t.Errorf("newest is %d", got)
	}
	if got := (&chat.Page{}).Newest(); got != 0 {
		t.Errorf("newest of an empty page is %d", got)
	}
}
