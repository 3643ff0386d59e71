-- A token holds only with its entry in the audit log.
CREATE INDEX audit_tokens ON audit (target) WHERE action IN ('token.create', 'token.revoke');
