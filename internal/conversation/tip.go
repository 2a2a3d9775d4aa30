package conversation

import (
	"fmt"
	"strings"

	"chatexport/internal/chat"
)

// tip says in words what a system message is about. Nobody's text in it is trusted to be short or plain.
func tip(body chat.Value, person func(id string) Person) string {
	if text := body.Member("MsgMemberExtraText").Text(); text != "" {
		return text
	}
	var who []string
	body.Member("List_Account").Each(func(_ int, v chat.Value) {
		who = append(who, person(v.Text()).String())
	})
	names, by := strings.Join(who, ", "), person(body.Member("Operator_Account").Text()).String()
	if names == "" {
		names = by
	}
	switch kind := body.Member("OpType").Int(); kind {
	case 1:
		if by == "" || by == names {
			return names + " joined"
		}
		return names + " joined, added by " + by
	case 2:
		return names + " left"
	case 3:
		return by + " removed " + names
	case 4:
		return by + " made " + names + " an admin"
	case 5:
		return by + " took the admin's rights from " + names
	case 6:
		return by + " changed the group" + changed(body.Member("MsgGroupNewInfo"))
	case 7:
		return by + " changed what " + names + " may do or is called"
	default:
		return fmt.Sprintf("operation %d by %s: %s", kind, by, names)
	}
}

// changed lists the new values of what of a group was changed.
func changed(info chat.Value) string {
	var values []string
	info.Members(func(name []byte, v chat.Value) {
		label := strings.ToLower(strings.TrimPrefix(string(name), "Group"))
		switch text := v.Text(); {
		case text != "":
			values = append(values, label+": "+text)
		case !v.IsNull() && v[0] != '"':
			values = append(values, label+": "+string(v))
		}
	})
	if len(values) == 0 {
		return ""
	}
	return ": " + strings.Join(values, ", ")
}

// nicknames takes the names that an element has of people. A tip's are of those who are in it, a message's of its sender.
func nicknames(e *chat.Element, names map[string]nick) {
	v := e.Value()
	add := func(id, name chat.Value) {
		if i, n := id.Text(), name.Text(); i != "" && n != "" {
			names[i] = nick{n, e.Seq}
		}
	}
	add(v.Member("From_Account"), v.Member("From_AccountNick"))
	body := v.Member("MsgBody")
	if !e.System || !body.IsObject() {
		return
	}
	info := func(_ int, v chat.Value) { add(v.Member("UserId"), v.Member("NickName")) }
	body.Member("MsgMemberExtraInfo").Each(info)
	info(0, body.Member("MsgOperatorMemberExtraInfo"))
}
