package chat

// Facts are what the directory of the app tells of a group or a topic. What it left out is zero.
type Facts struct {
	Stream

	Type       string `json:"type,omitempty"` // of the group: "Public", "Private", "ChatRoom", "Community", ...; new groups may have new names
	Name       string `json:"name,omitempty"`
	Owner      string `json:"owner,omitempty"`
	CreateTime int64  `json:"create_time,omitempty"`   // seconds since 1970
	LastTime   int64  `json:"last_msg_time,omitempty"` // of the newest message, in seconds since 1970; 0 if there never was one
	NextSeq    Seq    `json:"next_msg_seq,omitempty"`  // the newest seq plus one
	Members    int64  `json:"member_num,omitempty"`

	NoTopics bool `json:"-"` // a community that is known to have none
	// Err is the service's verdict on this one group or topic, which matches ErrGone and the like. All else but Stream is
	// zero then.
	Err error `json:"-"`
}
