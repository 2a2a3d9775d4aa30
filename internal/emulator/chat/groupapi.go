package chatemu

import (
	"encoding/json"
	"slices"
	"strconv"

	"chatexport/internal/chat"
)

const (
	maxInfoGroups = 50    // ids a call of get_group_info (Chat documentation)
	maxListGroups = 10000 // groups a page of get_appid_group_list (Chat documentation)
	// nextMask makes the cursor of the list of groups an opaque number that needs all 64 bits: a client that keeps it
	// in a float or a signed integer loses it.
	nextMask = 0xD1B54A32D192ED03
)

// groupInfo answers get_group_info.
func (s *Server) groupInfo(x *exchange) reply {
	var ids []string
	if json.Unmarshal(x.members["GroupIdList"], &ids) != nil || len(ids) == 0 || len(ids) > maxInfoGroups {
		return refuse(codeParameter)
	}
	raw, filtered := x.members["ResponseFilter"]
	filter := objectMembers(raw)
	var fields, memberFields []string
	if filtered && (filter == nil || readStrings(filter, "GroupBaseInfoFilter", &fields) != nil ||
		readStrings(filter, "MemberInfoFilter", &memberFields) != nil) {
		return refuse(codeParameter)
	}
	infos := make([][]byte, len(ids))
	for i, id := range ids {
		g, ok := s.groups[id]
		switch {
		case !validGroupID(id):
			infos[i] = groupError(id, codeBadGroup)
			continue
		case !ok || g.dissolved:
			infos[i] = groupError(id, codeNoGroup)
			continue
		}
		members := []member{text("GroupId", id), number("ErrorCode", 0), text("ErrorInfo", "")}
		for _, m := range s.baseFields(g) {
			if len(fields) == 0 || slices.Contains(fields, m.key) {
				members = append(members, m)
			}
		}
		if !filtered || len(memberFields) > 0 {
			members = append(members, member{"MemberList", memberList(g)})
		}
		infos[i] = object(members)
	}
	return reply{members: []member{{"GroupInfo", array(infos)}}}
}

func readStrings(members map[string]json.RawMessage, key string, into *[]string) error {
	raw, ok := members[key]
	if !ok {
		return nil
	}
	return json.Unmarshal(raw, into)
}

func groupError(id string, code int) []byte {
	return object([]member{text("GroupId", id), number("ErrorCode", code), text("ErrorInfo", ErrorText(code))})
}

func (s *Server) baseFields(g *group) []member {
	support := 0
	if g.SupportTopics {
		support = 1
	}
	return []member{
		number("Appid", s.opts.SDKAppID), text("Type", g.Type), text("Name", g.Name), text("Introduction", ""),
		text("Notification", ""), text("FaceUrl", ""), text("Owner_Account", g.Owner), number("CreateTime", g.CreateTime),
		number("InfoSeq", 1), number("LastInfoTime", g.CreateTime), number("LastMsgTime", g.own.last()),
		number("NextMsgSeq", g.own.next), number("MemberNum", g.MemberNum), number("MaxMemberNum", 2000),
		text("ApplyJoinOption", "FreeAccess"), text("MuteAllMember", "Off"), number("SupportTopic", support),
	}
}

// last returns the time of the newest message, 0 for an empty stream.
func (st *stream) last() int64 {
	if st.next == st.base {
		return 0
	}
	return st.lastTime
}

func memberList(g *group) []byte {
	list := make([][]byte, g.MemberNum)
	for i := range list {
		list[i] = object([]member{
			text("Member_Account", "member"+strconv.Itoa(i)), text("Role", "Member"), number("JoinTime", g.CreateTime),
			number("MsgSeq", 0), text("MsgFlag", "AcceptAndNotify"), number("LastSendMsgTime", 0), number("MuteUntil", 0),
		})
	}
	return array(list)
}

// groupList answers get_appid_group_list.
func (s *Server) groupList(x *exchange) reply {
	limit, present, ok := readInteger(x.members, "Limit")
	if !present {
		limit = maxListGroups
	}
	kind, okType := readString(x.members, "GroupType")
	at, okNext := listPosition(x.members["Next"], len(s.order))
	if !ok || !okType || !okNext || limit <= 0 || limit > maxListGroups || (kind != "" && !knownType(kind)) {
		return refuse(codeParameter)
	}
	total, ids, next := 0, [][]byte{}, uint64(0)
	for i, g := range s.order {
		if g.dissolved || (kind != "" && oldType(g.Type) != kind) {
			continue
		}
		total++
		switch {
		case i < at:
		case len(ids) < int(limit):
			ids = append(ids, object([]member{text("GroupId", g.ID)}))
		case next == 0:
			next = uint64(i) ^ nextMask
		}
	}
	members := []member{number("TotalCount", total), {"GroupIdList", array(ids)}}
	if next != 0 || x.quirks.ListEnd == ListEndZero {
		members = append(members, member{"Next", strconv.AppendUint(nil, next, 10)})
	}
	return reply{members: members}
}

// listPosition reads the cursor of the list of groups.
func listPosition(raw json.RawMessage, groups int) (int, bool) {
	if raw == nil || string(raw) == "0" {
		return 0, true
	}
	next, err := strconv.ParseUint(string(raw), 10, 64)
	at := next ^ nextMask
	return int(at), err == nil && at < uint64(groups)
}

func knownType(kind string) bool {
	return slices.Contains([]string{"Public", "Private", "ChatRoom", "AVChatRoom", "BChatRoom", "Community"}, kind)
}

// oldType returns the name that the list's filter has for a type.
func oldType(kind string) string {
	switch kind {
	case "Work":
		return "Private"
	case "Meeting":
		return "ChatRoom"
	default:
		return kind
	}
}

// topics answers get_topic.
func (s *Server) topics(x *exchange) reply {
	id, ok := readString(x.members, "GroupId")
	from, okFrom := readString(x.members, "From_Account")
	var wanted []string
	if !ok || id == "" || !okFrom || from == "" || readStrings(x.members, "TopicIdList", &wanted) != nil {
		return refuse(codeParameter)
	}
	g, known := s.groups[id]
	switch {
	case !validGroupID(id):
		return refuse(codeBadGroup)
	case !known || g.dissolved:
		return refuse(codeNoGroup)
	case !g.SupportTopics || x.quirks.TopicsOff:
		return refuse(codeTopicsOff)
	}
	if len(wanted) == 0 {
		for _, st := range g.topics {
			wanted = append(wanted, st.id.TopicID)
		}
	}
	list := make([][]byte, len(wanted))
	for i, topic := range wanted {
		list[i] = topicInfo(g.topic(topic), chat.Stream{GroupID: id, TopicID: topic})
	}
	return reply{members: []member{{"TopicAndSelfInfo", array(list)}}}
}

func topicInfo(st *stream, id chat.Stream) []byte {
	self := member{"SelfInfo", object([]member{text("MsgFlag", "AcceptAndNotify"), number("ReadedSeq", 0)})}
	if st == nil {
		about := object([]member{text("TopicId", id.TopicID), text("GroupID", id.GroupID)})
		return object([]member{
			number("ErrorCode", codeNoTopic), text("ErrorInfo", ErrorText(codeNoTopic)), {"TopicInfo", about},
		})
	}
	about := object([]member{
		text("TopicId", id.TopicID), text("GroupID", id.GroupID), text("TopicName", st.name), text("CustomString", ""),
		text("FaceUrl", ""), text("Introduction", ""), number("CreateTime", st.createTime), number("LastMsgTime", st.last()),
		number("NextMsgSeq", st.next), text("MuteAllMember", "Off"),
	})
	return object([]member{number("ErrorCode", 0), text("ErrorInfo", ""), self, {"TopicInfo", about}})
}
