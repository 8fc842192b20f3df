package dev.cowbell.storage;

/**
 * What a store can do beyond reading and writing whole objects.
 *
 * @param conditionalPut {@link Precondition.IfAbsent} and {@link Precondition.IfMatch} hold on
 *     {@link ObjectStore#put} even when two writers race. Without it they are looked up first, so
 *     that of two writers who race both may win.
 * @param rangeCopy {@link ObjectUpload#appendCopy} moves bytes inside the store
 */
public record StoreCapabilities(boolean conditionalPut, boolean rangeCopy) {}
