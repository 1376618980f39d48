//! The actions of the catalogue. Generated from `catalogue.json`; do not edit.

use super::Action;

/// `access.denied`: Access to something was denied for lack of permission.
pub const ACCESS_DENIED: Action = Action::listed(0);
/// `access_request.approved`: A request for access was approved.
pub const ACCESS_REQUEST_APPROVED: Action = Action::listed(1);
/// `access_request.created`: Someone asked for access.
pub const ACCESS_REQUEST_CREATED: Action = Action::listed(2);
/// `access_request.denied`: A request for access was denied.
pub const ACCESS_REQUEST_DENIED: Action = Action::listed(3);
/// `access_review.completed`: A review of who has access was completed.
pub const ACCESS_REVIEW_COMPLETED: Action = Action::listed(4);
/// `admin.privilege.granted`: Someone became an administrator.
pub const ADMIN_PRIVILEGE_GRANTED: Action = Action::listed(5);
/// `admin.privilege.revoked`: Someone is an administrator no longer.
pub const ADMIN_PRIVILEGE_REVOKED: Action = Action::listed(6);
/// `api.rate_limit.exceeded`: A caller of an API exceeded its rate limit.
pub const API_RATE_LIMIT_EXCEEDED: Action = Action::listed(7);
/// `api.request.completed`: A request to an API was answered.
pub const API_REQUEST_COMPLETED: Action = Action::listed(8);
/// `api.request.denied`: A request to an API was denied.
pub const API_REQUEST_DENIED: Action = Action::listed(9);
/// `api.request.failed`: A request to an API failed.
pub const API_REQUEST_FAILED: Action = Action::listed(10);
/// `api_key.authentication.failed`: An API key was wrong, revoked or expired.
pub const API_KEY_AUTHENTICATION_FAILED: Action = Action::listed(11);
/// `api_key.created`: An API key was created.
pub const API_KEY_CREATED: Action = Action::listed(12);
/// `api_key.deleted`: An API key was deleted.
pub const API_KEY_DELETED: Action = Action::listed(13);
/// `api_key.expired`: An API key reached the end of its time.
pub const API_KEY_EXPIRED: Action = Action::listed(14);
/// `api_key.revoked`: An API key was revoked.
pub const API_KEY_REVOKED: Action = Action::listed(15);
/// `api_key.rotated`: An API key was replaced by a new one.
pub const API_KEY_ROTATED: Action = Action::listed(16);
/// `api_key.updated`: The name, scope or expiry of an API key was changed.
pub const API_KEY_UPDATED: Action = Action::listed(17);
/// `audit_log.access.denied`: The reading of records was denied.
pub const AUDIT_LOG_ACCESS_DENIED: Action = Action::listed(18);
/// `audit_log.accessed`: Records were read.
pub const AUDIT_LOG_ACCESSED: Action = Action::listed(19);
/// `audit_log.archived`: Records were moved to an archive.
pub const AUDIT_LOG_ARCHIVED: Action = Action::listed(20);
/// `audit_log.checkpoint.signed`: A checkpoint was signed for someone outside.
pub const AUDIT_LOG_CHECKPOINT_SIGNED: Action = Action::listed(21);
/// `audit_log.clock_skew.detected`: The clock stepped back by more than a minute (FORMAT §2).
pub const AUDIT_LOG_CLOCK_SKEW_DETECTED: Action = Action::listed(22);
/// `audit_log.created`: The log was created; its record 0.
pub const AUDIT_LOG_CREATED: Action = Action::listed(23);
/// `audit_log.delivery.failed`: The delivery of records failed.
pub const AUDIT_LOG_DELIVERY_FAILED: Action = Action::listed(24);
/// `audit_log.delivery.recovered`: The delivery of records works again.
pub const AUDIT_LOG_DELIVERY_RECOVERED: Action = Action::listed(25);
/// `audit_log.disabled`: Recording was disabled.
pub const AUDIT_LOG_DISABLED: Action = Action::listed(26);
/// `audit_log.enabled`: Recording was enabled.
pub const AUDIT_LOG_ENABLED: Action = Action::listed(27);
/// `audit_log.events.dropped`: Events were dropped, with their count.
pub const AUDIT_LOG_EVENTS_DROPPED: Action = Action::listed(28);
/// `audit_log.export.failed`: An export of records failed.
pub const AUDIT_LOG_EXPORT_FAILED: Action = Action::listed(29);
/// `audit_log.exported`: Records were exported.
pub const AUDIT_LOG_EXPORTED: Action = Action::listed(30);
/// `audit_log.legal_hold.placed`: A legal hold was placed: what it covers is kept.
pub const AUDIT_LOG_LEGAL_HOLD_PLACED: Action = Action::listed(31);
/// `audit_log.legal_hold.released`: A legal hold was released.
pub const AUDIT_LOG_LEGAL_HOLD_RELEASED: Action = Action::listed(32);
/// `audit_log.personal_data.erased`: The personal data of records is erased (FORMAT §7).
pub const AUDIT_LOG_PERSONAL_DATA_ERASED: Action = Action::listed(33);
/// `audit_log.purged`: A prefix of the log is purged (FORMAT §7).
pub const AUDIT_LOG_PURGED: Action = Action::listed(34);
/// `audit_log.record.erased`: Records are erased (FORMAT §7).
pub const AUDIT_LOG_RECORD_ERASED: Action = Action::listed(35);
/// `audit_log.recovered`: The log was opened after it had not been closed in order.
pub const AUDIT_LOG_RECOVERED: Action = Action::listed(36);
/// `audit_log.retention_policy.updated`: A retention policy was changed.
pub const AUDIT_LOG_RETENTION_POLICY_UPDATED: Action = Action::listed(37);
/// `audit_log.review.completed`: A review of the log was completed (PCI DSS 10.4).
pub const AUDIT_LOG_REVIEW_COMPLETED: Action = Action::listed(38);
/// `audit_log.segment.sealed`: A segment was completed; it takes no further records.
pub const AUDIT_LOG_SEGMENT_SEALED: Action = Action::listed(39);
/// `audit_log.signing_key.rotated`: The key of the log was replaced by a new one (FORMAT §6).
pub const AUDIT_LOG_SIGNING_KEY_ROTATED: Action = Action::listed(40);
/// `audit_log.started`: The log was opened for writing.
pub const AUDIT_LOG_STARTED: Action = Action::listed(41);
/// `audit_log.stopped`: The log was closed in order.
pub const AUDIT_LOG_STOPPED: Action = Action::listed(42);
/// `audit_log.stream.created`: A delivery of records was set up.
pub const AUDIT_LOG_STREAM_CREATED: Action = Action::listed(43);
/// `audit_log.stream.deleted`: A delivery of records was removed.
pub const AUDIT_LOG_STREAM_DELETED: Action = Action::listed(44);
/// `audit_log.stream.updated`: A delivery of records was changed.
pub const AUDIT_LOG_STREAM_UPDATED: Action = Action::listed(45);
/// `audit_log.verification.failed`: The log was verified and found to be tampered with.
pub const AUDIT_LOG_VERIFICATION_FAILED: Action = Action::listed(46);
/// `audit_log.verification.succeeded`: The log was verified and found sound.
pub const AUDIT_LOG_VERIFICATION_SUCCEEDED: Action = Action::listed(47);
/// `audit_log.write.failed`: A write to the log failed.
pub const AUDIT_LOG_WRITE_FAILED: Action = Action::listed(48);
/// `auth.device_code.approved`: A user approved the login of a device by its code (RFC 8628).
pub const AUTH_DEVICE_CODE_APPROVED: Action = Action::listed(49);
/// `auth.device_code.denied`: A user denied the login of a device by its code (RFC 8628).
pub const AUTH_DEVICE_CODE_DENIED: Action = Action::listed(50);
/// `auth.impersonation.ended`: Someone stopped acting in the name of another user.
pub const AUTH_IMPERSONATION_ENDED: Action = Action::listed(51);
/// `auth.impersonation.started`: Someone began to act in the name of another user.
pub const AUTH_IMPERSONATION_STARTED: Action = Action::listed(52);
/// `auth.login.blocked`: A login was refused by policy before or after its credentials were checked.
pub const AUTH_LOGIN_BLOCKED: Action = Action::listed(53);
/// `auth.login.failed`: A login failed, such as with a wrong password or for an unknown user.
pub const AUTH_LOGIN_FAILED: Action = Action::listed(54);
/// `auth.login.succeeded`: A login succeeded.
pub const AUTH_LOGIN_SUCCEEDED: Action = Action::listed(55);
/// `auth.logout.failed`: A logout failed, so the session may live on.
pub const AUTH_LOGOUT_FAILED: Action = Action::listed(56);
/// `auth.logout.succeeded`: A user logged out.
pub const AUTH_LOGOUT_SUCCEEDED: Action = Action::listed(57);
/// `auth.passwordless.sent`: A login link or one-time code was sent.
pub const AUTH_PASSWORDLESS_SENT: Action = Action::listed(58);
/// `auth.step_up.failed`: A user failed to prove their identity again for a sensitive operation.
pub const AUTH_STEP_UP_FAILED: Action = Action::listed(59);
/// `auth.step_up.succeeded`: A user proved their identity again for a sensitive operation.
pub const AUTH_STEP_UP_SUCCEEDED: Action = Action::listed(60);
/// `config.updated`: A setting of the service was changed.
pub const CONFIG_UPDATED: Action = Action::listed(61);
/// `consent.denied`: A user refused what a client asked for.
pub const CONSENT_DENIED: Action = Action::listed(62);
/// `consent.granted`: A user consented to what a client asked for.
pub const CONSENT_GRANTED: Action = Action::listed(63);
/// `consent.revoked`: A user withdrew their consent.
pub const CONSENT_REVOKED: Action = Action::listed(64);
/// `data.accessed`: Data was read.
pub const DATA_ACCESSED: Action = Action::listed(65);
/// `data.deleted`: Data was deleted.
pub const DATA_DELETED: Action = Action::listed(66);
/// `data.exported`: Data was exported.
pub const DATA_EXPORTED: Action = Action::listed(67);
/// `data.imported`: Data was imported.
pub const DATA_IMPORTED: Action = Action::listed(68);
/// `directory.sync.completed`: The synchronization of a directory was completed.
pub const DIRECTORY_SYNC_COMPLETED: Action = Action::listed(69);
/// `directory.sync.failed`: The synchronization of a directory failed.
pub const DIRECTORY_SYNC_FAILED: Action = Action::listed(70);
/// `group.created`: A group was created.
pub const GROUP_CREATED: Action = Action::listed(71);
/// `group.deleted`: A group was deleted.
pub const GROUP_DELETED: Action = Action::listed(72);
/// `group.member.added`: A member was added to a group.
pub const GROUP_MEMBER_ADDED: Action = Action::listed(73);
/// `group.member.removed`: A member was removed from a group.
pub const GROUP_MEMBER_REMOVED: Action = Action::listed(74);
/// `group.updated`: A group was changed.
pub const GROUP_UPDATED: Action = Action::listed(75);
/// `ip_allowlist.updated`: A list of allowed IP addresses was changed.
pub const IP_ALLOWLIST_UPDATED: Action = Action::listed(76);
/// `mfa.bypass.granted`: A user was exempted from the second factor.
pub const MFA_BYPASS_GRANTED: Action = Action::listed(77);
/// `mfa.challenge.failed`: A second factor was answered wrongly or too late.
pub const MFA_CHALLENGE_FAILED: Action = Action::listed(78);
/// `mfa.challenge.rejected`: A user rejected a second factor that they had not asked for.
pub const MFA_CHALLENGE_REJECTED: Action = Action::listed(79);
/// `mfa.challenge.sent`: A second factor was asked for.
pub const MFA_CHALLENGE_SENT: Action = Action::listed(80);
/// `mfa.challenge.succeeded`: A second factor was proven.
pub const MFA_CHALLENGE_SUCCEEDED: Action = Action::listed(81);
/// `mfa.factor.enrolled`: A second factor was enrolled.
pub const MFA_FACTOR_ENROLLED: Action = Action::listed(82);
/// `mfa.factor.removed`: A second factor was removed.
pub const MFA_FACTOR_REMOVED: Action = Action::listed(83);
/// `mfa.factor.reset`: An administrator reset the second factors of a user.
pub const MFA_FACTOR_RESET: Action = Action::listed(84);
/// `mfa.recovery_code.failed`: A recovery code was wrong or already used.
pub const MFA_RECOVERY_CODE_FAILED: Action = Action::listed(85);
/// `mfa.recovery_code.used`: A recovery code was used in place of a second factor.
pub const MFA_RECOVERY_CODE_USED: Action = Action::listed(86);
/// `mfa.recovery_codes.generated`: New recovery codes were generated.
pub const MFA_RECOVERY_CODES_GENERATED: Action = Action::listed(87);
/// `oauth_client.created`: An OAuth client was registered.
pub const OAUTH_CLIENT_CREATED: Action = Action::listed(88);
/// `oauth_client.deleted`: An OAuth client was deleted.
pub const OAUTH_CLIENT_DELETED: Action = Action::listed(89);
/// `oauth_client.secret.rotated`: The secret of an OAuth client was replaced by a new one.
pub const OAUTH_CLIENT_SECRET_ROTATED: Action = Action::listed(90);
/// `oauth_client.updated`: An OAuth client was changed.
pub const OAUTH_CLIENT_UPDATED: Action = Action::listed(91);
/// `organization.created`: An organization was created.
pub const ORGANIZATION_CREATED: Action = Action::listed(92);
/// `organization.deleted`: An organization was deleted.
pub const ORGANIZATION_DELETED: Action = Action::listed(93);
/// `organization.domain.verified`: A domain of an organization was verified.
pub const ORGANIZATION_DOMAIN_VERIFIED: Action = Action::listed(94);
/// `organization.member.added`: A member was added to an organization.
pub const ORGANIZATION_MEMBER_ADDED: Action = Action::listed(95);
/// `organization.member.invited`: Someone was invited into an organization.
pub const ORGANIZATION_MEMBER_INVITED: Action = Action::listed(96);
/// `organization.member.removed`: A member was removed from an organization.
pub const ORGANIZATION_MEMBER_REMOVED: Action = Action::listed(97);
/// `organization.updated`: An organization was changed.
pub const ORGANIZATION_UPDATED: Action = Action::listed(98);
/// `passkey.registered`: A passkey was registered.
pub const PASSKEY_REGISTERED: Action = Action::listed(99);
/// `passkey.removed`: A passkey was removed.
pub const PASSKEY_REMOVED: Action = Action::listed(100);
/// `password.change.failed`: A user failed to change their password.
pub const PASSWORD_CHANGE_FAILED: Action = Action::listed(101);
/// `password.changed`: A user changed their password.
pub const PASSWORD_CHANGED: Action = Action::listed(102);
/// `password.expired`: A password reached the end of its time.
pub const PASSWORD_EXPIRED: Action = Action::listed(103);
/// `password.reset.completed`: A forgotten password was reset.
pub const PASSWORD_RESET_COMPLETED: Action = Action::listed(104);
/// `password.reset.failed`: The reset of a forgotten password failed.
pub const PASSWORD_RESET_FAILED: Action = Action::listed(105);
/// `password.reset.forced`: An administrator or a policy forced a user to set a new password.
pub const PASSWORD_RESET_FORCED: Action = Action::listed(106);
/// `password.reset.requested`: The reset of a forgotten password was requested.
pub const PASSWORD_RESET_REQUESTED: Action = Action::listed(107);
/// `permission.granted`: A permission was granted to someone directly.
pub const PERMISSION_GRANTED: Action = Action::listed(108);
/// `permission.revoked`: A permission was taken from someone.
pub const PERMISSION_REVOKED: Action = Action::listed(109);
/// `policy.attached`: An access policy was attached to someone.
pub const POLICY_ATTACHED: Action = Action::listed(110);
/// `policy.created`: An access policy was created.
pub const POLICY_CREATED: Action = Action::listed(111);
/// `policy.deleted`: An access policy was deleted.
pub const POLICY_DELETED: Action = Action::listed(112);
/// `policy.detached`: An access policy was detached from someone.
pub const POLICY_DETACHED: Action = Action::listed(113);
/// `policy.updated`: An access policy was changed.
pub const POLICY_UPDATED: Action = Action::listed(114);
/// `privacy.access_request.fulfilled`: A person was given the data held about them (GDPR article 15).
pub const PRIVACY_ACCESS_REQUEST_FULFILLED: Action = Action::listed(115);
/// `privacy.erasure.completed`: The data of a person was erased (GDPR article 17).
pub const PRIVACY_ERASURE_COMPLETED: Action = Action::listed(116);
/// `privacy.erasure.requested`: A person asked for the erasure of their data (GDPR article 17).
pub const PRIVACY_ERASURE_REQUESTED: Action = Action::listed(117);
/// `role.assigned`: A role was assigned to someone.
pub const ROLE_ASSIGNED: Action = Action::listed(118);
/// `role.created`: A role was created.
pub const ROLE_CREATED: Action = Action::listed(119);
/// `role.deleted`: A role was deleted.
pub const ROLE_DELETED: Action = Action::listed(120);
/// `role.unassigned`: A role was taken from someone.
pub const ROLE_UNASSIGNED: Action = Action::listed(121);
/// `role.updated`: A role or its permissions were changed.
pub const ROLE_UPDATED: Action = Action::listed(122);
/// `scim.group.deprovisioned`: A group was deprovisioned over SCIM.
pub const SCIM_GROUP_DEPROVISIONED: Action = Action::listed(123);
/// `scim.group.provisioned`: A group was provisioned over SCIM.
pub const SCIM_GROUP_PROVISIONED: Action = Action::listed(124);
/// `scim.group.updated`: A group or its members were changed over SCIM.
pub const SCIM_GROUP_UPDATED: Action = Action::listed(125);
/// `scim.request.failed`: A SCIM request failed.
pub const SCIM_REQUEST_FAILED: Action = Action::listed(126);
/// `scim.user.deprovisioned`: A user was deprovisioned over SCIM.
pub const SCIM_USER_DEPROVISIONED: Action = Action::listed(127);
/// `scim.user.provisioned`: A user was provisioned over SCIM.
pub const SCIM_USER_PROVISIONED: Action = Action::listed(128);
/// `scim.user.updated`: A user was changed over SCIM.
pub const SCIM_USER_UPDATED: Action = Action::listed(129);
/// `security.anomalous_login.detected`: A login unlike those before it was detected.
pub const SECURITY_ANOMALOUS_LOGIN_DETECTED: Action = Action::listed(130);
/// `security.bot.detected`: An automated client was detected.
pub const SECURITY_BOT_DETECTED: Action = Action::listed(131);
/// `security.breached_password.detected`: A password that is known from a breach was detected.
pub const SECURITY_BREACHED_PASSWORD_DETECTED: Action = Action::listed(132);
/// `security.brute_force.detected`: Many guesses at the credentials of one user were detected.
pub const SECURITY_BRUTE_FORCE_DETECTED: Action = Action::listed(133);
/// `security.credential_stuffing.detected`: Many logins with stolen credentials of many users were detected.
pub const SECURITY_CREDENTIAL_STUFFING_DETECTED: Action = Action::listed(134);
/// `security.impossible_travel.detected`: Logins from places too far apart for the time between them were detected.
pub const SECURITY_IMPOSSIBLE_TRAVEL_DETECTED: Action = Action::listed(135);
/// `security.incident.closed`: A security incident was closed.
pub const SECURITY_INCIDENT_CLOSED: Action = Action::listed(136);
/// `security.incident.declared`: A security incident was declared.
pub const SECURITY_INCIDENT_DECLARED: Action = Action::listed(137);
/// `security.incident.notified`: Those concerned were notified of a security incident.
pub const SECURITY_INCIDENT_NOTIFIED: Action = Action::listed(138);
/// `security.session_hijack.detected`: A session used by someone other than its user was detected.
pub const SECURITY_SESSION_HIJACK_DETECTED: Action = Action::listed(139);
/// `security_policy.updated`: A security policy was changed, such as the rules for passwords or sessions.
pub const SECURITY_POLICY_UPDATED: Action = Action::listed(140);
/// `service.started`: The service started.
pub const SERVICE_STARTED: Action = Action::listed(141);
/// `service.stopped`: The service stopped.
pub const SERVICE_STOPPED: Action = Action::listed(142);
/// `service_account.created`: A service account was created.
pub const SERVICE_ACCOUNT_CREATED: Action = Action::listed(143);
/// `service_account.deleted`: A service account was deleted.
pub const SERVICE_ACCOUNT_DELETED: Action = Action::listed(144);
/// `session.created`: A session began.
pub const SESSION_CREATED: Action = Action::listed(145);
/// `session.ended`: A session ended by its user's will.
pub const SESSION_ENDED: Action = Action::listed(146);
/// `session.expired`: A session reached the end of its time.
pub const SESSION_EXPIRED: Action = Action::listed(147);
/// `session.refreshed`: A session was prolonged.
pub const SESSION_REFRESHED: Action = Action::listed(148);
/// `session.revoked`: A session was ended by someone else or by policy.
pub const SESSION_REVOKED: Action = Action::listed(149);
/// `session.revoked_all`: All sessions of a user were ended at once.
pub const SESSION_REVOKED_ALL: Action = Action::listed(150);
/// `signing_key.created`: A key that signs tokens was created.
pub const SIGNING_KEY_CREATED: Action = Action::listed(151);
/// `signing_key.revoked`: A key that signs tokens was revoked.
pub const SIGNING_KEY_REVOKED: Action = Action::listed(152);
/// `signing_key.rotated`: A key that signs tokens was replaced by a new one.
pub const SIGNING_KEY_ROTATED: Action = Action::listed(153);
/// `sso.assertion.rejected`: An assertion of an identity provider was rejected.
pub const SSO_ASSERTION_REJECTED: Action = Action::listed(154);
/// `sso.certificate.rotated`: A certificate of a single sign-on connection was replaced.
pub const SSO_CERTIFICATE_ROTATED: Action = Action::listed(155);
/// `sso.connection.activated`: A single sign-on connection was activated.
pub const SSO_CONNECTION_ACTIVATED: Action = Action::listed(156);
/// `sso.connection.created`: A single sign-on connection was created.
pub const SSO_CONNECTION_CREATED: Action = Action::listed(157);
/// `sso.connection.deactivated`: A single sign-on connection was deactivated.
pub const SSO_CONNECTION_DEACTIVATED: Action = Action::listed(158);
/// `sso.connection.deleted`: A single sign-on connection was deleted.
pub const SSO_CONNECTION_DELETED: Action = Action::listed(159);
/// `sso.connection.updated`: A single sign-on connection was changed.
pub const SSO_CONNECTION_UPDATED: Action = Action::listed(160);
/// `terms.accepted`: A user accepted terms of service.
pub const TERMS_ACCEPTED: Action = Action::listed(161);
/// `token.exchange.failed`: The exchange of a token for another failed (RFC 8693).
pub const TOKEN_EXCHANGE_FAILED: Action = Action::listed(162);
/// `token.exchanged`: A token was exchanged for another (RFC 8693).
pub const TOKEN_EXCHANGED: Action = Action::listed(163);
/// `token.issue.failed`: A request for a token failed.
pub const TOKEN_ISSUE_FAILED: Action = Action::listed(164);
/// `token.issued`: A token was issued.
pub const TOKEN_ISSUED: Action = Action::listed(165);
/// `token.refreshed`: A token was renewed by a refresh token.
pub const TOKEN_REFRESHED: Action = Action::listed(166);
/// `token.reuse.detected`: A refresh token was used a second time, a sign of theft.
pub const TOKEN_REUSE_DETECTED: Action = Action::listed(167);
/// `token.revoked`: A token was revoked.
pub const TOKEN_REVOKED: Action = Action::listed(168);
/// `user.created`: A user was created by someone else.
pub const USER_CREATED: Action = Action::listed(169);
/// `user.deleted`: A user was deleted.
pub const USER_DELETED: Action = Action::listed(170);
/// `user.disabled`: A user was disabled.
pub const USER_DISABLED: Action = Action::listed(171);
/// `user.email.changed`: The e-mail address of a user was changed.
pub const USER_EMAIL_CHANGED: Action = Action::listed(172);
/// `user.email.verified`: The e-mail address of a user was verified.
pub const USER_EMAIL_VERIFIED: Action = Action::listed(173);
/// `user.enabled`: A user was enabled.
pub const USER_ENABLED: Action = Action::listed(174);
/// `user.identity.linked`: An identity of another provider was linked to a user.
pub const USER_IDENTITY_LINKED: Action = Action::listed(175);
/// `user.identity.unlinked`: An identity of another provider was unlinked from a user.
pub const USER_IDENTITY_UNLINKED: Action = Action::listed(176);
/// `user.invited`: A user was invited.
pub const USER_INVITED: Action = Action::listed(177);
/// `user.locked`: A user was locked, such as after too many failed logins.
pub const USER_LOCKED: Action = Action::listed(178);
/// `user.phone.changed`: The telephone number of a user was changed.
pub const USER_PHONE_CHANGED: Action = Action::listed(179);
/// `user.reactivated`: A suspended user was reactivated.
pub const USER_REACTIVATED: Action = Action::listed(180);
/// `user.registered`: A user registered themselves.
pub const USER_REGISTERED: Action = Action::listed(181);
/// `user.registration.failed`: A registration failed.
pub const USER_REGISTRATION_FAILED: Action = Action::listed(182);
/// `user.suspended`: A user was suspended for a time.
pub const USER_SUSPENDED: Action = Action::listed(183);
/// `user.unlocked`: A locked user was unlocked.
pub const USER_UNLOCKED: Action = Action::listed(184);
/// `user.updated`: The profile of a user was changed.
pub const USER_UPDATED: Action = Action::listed(185);
/// `webhook.created`: A webhook was created.
pub const WEBHOOK_CREATED: Action = Action::listed(186);
/// `webhook.deleted`: A webhook was deleted.
pub const WEBHOOK_DELETED: Action = Action::listed(187);
/// `webhook.updated`: A webhook was changed.
pub const WEBHOOK_UPDATED: Action = Action::listed(188);
