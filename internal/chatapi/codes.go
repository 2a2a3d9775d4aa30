package chatapi

// kind is what a code of the service means for the export.
type kind int

const (
	kindUnknown       kind = iota // not in the tables: repeated at most twice
	kindTransient                 // the service's own trouble
	kindThrottled                 // calls come too fast
	kindSignature                 // the UserSig is refused; another one may do
	kindGone                      // the stream does not exist any more
	kindUnsupported               // this stream cannot be read
	kindTooLarge                  // the answer would be too large
	kindConfiguration             // every call will fail until a person changes something
)

// code is what is known of an ErrorCode: its kind, the documented meaning, and what an operator can do about it.
type code struct {
	kind    kind
	meaning string
	advice  string
}

const (
	askAgain    = "the call is repeated; if it goes on, look for an incident on the service's status page"
	slowDown    = "lower CHAT_QPS, or run fewer instances: the app's quota is shared with all its other callers"
	checkKey    = "check CHAT_SDKAPPID, CHAT_SECRET_KEY and CHAT_ADMIN: key and account must be this app's"
	checkRegion = "check CHAT_SDKAPPID and CHAT_REGION: the app is served by its own data centre only"
	checkClient = "the request itself is refused: check CHAT_ENDPOINT, and whether something between rewrites requests"
	askSupport  = "look at the app's state in the Chat console, or ask Tencent's support"
)

// lookup finds a code (Chat documentation, error codes, and the pages of the single calls).
func lookup(number int) code {
	switch {
	case number >= 60000 && number < 70000:
		return requestCode(number)
	case number >= 70000 && number < 80000:
		return accountCode(number)
	default:
		return groupCode(number)
	}
}

// groupCode knows the codes of the group service and of those behind it.
func groupCode(number int) code {
	switch number {
	case 10002, 20004, 20005, 90992, 90994, 90995, 91000:
		return code{kindTransient, "internal error of the service", askAgain}
	case 10003:
		return code{kindConfiguration, "unknown command", checkClient}
	case 10004:
		return code{kindUnsupported, "invalid parameter", "check the group id and topic id; groups of type AVChatRoom have no history"}
	case 10005:
		return code{kindConfiguration, "too many accounts in the request", checkClient}
	case 10006:
		return code{kindThrottled, "operation too frequent", slowDown}
	case 10007:
		return code{kindUnsupported, "no permission for this group", "groups of type AVChatRoom have no history; if every group answers this, check CHAT_ADMIN"}
	case 10008:
		return code{kindSignature, "request not legitimate, the signature may be wrong", checkKey}
	case 10010:
		return code{kindGone, "the group does not exist or was dissolved", "its history is gone with it; take it off the timers"}
	case 10011:
		return code{kindConfiguration, "the request's JSON cannot be parsed", checkClient}
	case 10012:
		return code{kindConfiguration, "the operator's account is invalid", "set CHAT_ADMIN to an app administrator"}
	case 10015:
		return code{kindGone, "the group id is invalid, or there is no such group any more", "check the group id"}
	case 10018:
		return code{kindTooLarge, "the answer would exceed 1 MB", "ask for less at a time"}
	case 10026:
		return code{kindConfiguration, "the command is disabled for this app", askSupport}
	case 11000:
		return code{kindUnsupported, "communities or topics are not enabled for this app", "the plan must include them, and the Chat console must have them switched on"}
	case 20002:
		return code{kindSignature, "the UserSig is invalid", checkKey}
	case 110003:
		return code{kindGone, "the topic does not exist or was deleted", "its history is gone with it; take it off the timers"}
	default:
		return code{}
	}
}

// requestCode knows the codes of the REST gateway.
func requestCode(number int) code {
	switch number {
	case 60002:
		return code{kindConfiguration, "the HTTP request cannot be parsed, or its URL is wrong", checkClient}
	case 60003:
		return code{kindConfiguration, "the request's JSON cannot be parsed", checkClient}
	case 60004, 60005:
		return code{kindSignature, "the administrator's account or its UserSig is wrong", checkKey}
	case 60006:
		return code{kindConfiguration, "the SDKAppID is invalid", checkRegion}
	case 60007, 60018, 60019:
		return code{kindThrottled, "too many calls a second", slowDown}
	case 60008:
		return code{kindTransient, "time-out in the service, or a wrong path", "the call is repeated; if even the first call of all answers this, check CHAT_ENDPOINT"}
	case 60009:
		return code{kindConfiguration, "the requested resource is wrong", checkClient}
	case 60010:
		return code{kindConfiguration, "the account is not an administrator of the app", "set CHAT_ADMIN to an app administrator, as listed in the Chat console"}
	case 60011:
		return code{kindThrottled, "too many calls a second over the whole app", slowDown}
	case 60012:
		return code{kindConfiguration, "the SDKAppID is missing in the request", checkClient}
	case 60013, 60014:
		return code{kindTransient, "the service could not read an answer from behind it, or timed out", askAgain}
	case 60015:
		return code{kindConfiguration, "an account in the request is invalid", "set CHAT_ADMIN to an app administrator"}
	case 60016:
		return code{kindConfiguration, "the app is disabled", askSupport}
	case 60017:
		return code{kindConfiguration, "the request is disabled for this app", askSupport}
	case 60020:
		return code{kindConfiguration, "the app's plan has expired and is stopped", "renew the plan; calls work again about 5 minutes later"}
	case 60021:
		return code{kindConfiguration, "the source IP address is not allowed", "give the function a fixed egress IP address and add it to the app's list of allowed addresses in the Chat console"}
	default:
		return code{}
	}
}

// accountCode knows the codes of the account service.
func accountCode(number int) code {
	switch number {
	case 70001:
		return code{kindSignature, "the UserSig has expired", "if a fresh one is refused, too, the clock of this machine is wrong"}
	case 70002:
		return code{kindConfiguration, "the UserSig is empty", checkKey}
	case 70003, 70005:
		return code{kindSignature, "the UserSig cannot be verified, it may be truncated", checkKey}
	case 70009:
		return code{kindConfiguration, "the UserSig was made with another app's key", "set CHAT_SECRET_KEY to the key that the Chat console shows for CHAT_SDKAPPID"}
	case 70013:
		return code{kindConfiguration, "the account is not the one in the UserSig", checkKey}
	case 70014:
		return code{kindConfiguration, "the SDKAppID is not the one in the UserSig", checkKey}
	case 70016:
		return code{kindConfiguration, "there is no key for this app in this data centre", checkRegion}
	case 70020:
		return code{kindConfiguration, "there is no such app in this data centre", checkRegion}
	case 70050:
		return code{kindSignature, "the UserSig failed too often, the app is refused for a minute", checkKey}
	case 70051:
		return code{kindConfiguration, "the account is blocked", askSupport}
	case 70052:
		return code{kindSignature, "the UserSig is no longer valid", checkKey}
	case 70107:
		return code{kindConfiguration, "the account does not exist", "import the account, or set CHAT_ADMIN to an app administrator"}
	case 70114:
		return code{kindConfiguration, "the account is restricted for security reasons", askSupport}
	case 70169, 70202, 70500:
		return code{kindTransient, "time-out or internal error of the account service", askAgain}
	case 70402:
		return code{kindUnsupported, "invalid parameter", "check the group id and topic id"}
	case 70403:
		return code{kindConfiguration, "the account is not an administrator of the app", "set CHAT_ADMIN to an app administrator, as listed in the Chat console"}
	default:
		return code{}
	}
}
