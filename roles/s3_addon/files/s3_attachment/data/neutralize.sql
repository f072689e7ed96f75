-- What may be garbage in the original's bucket is not for a copy to say. That it may not write and delete there, the
-- addon finds out by itself (engine/fence.py).
DELETE FROM s3_gc_mark;
-- Nor may it have the original's key, where that was in the database.
DELETE FROM ir_config_parameter WHERE key IN ('s3_attachment.access_key', 's3_attachment.secret_key');
