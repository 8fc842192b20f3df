package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * What lease.json says.
 *
 * @param epoch counts the owners: each has a greater one than all before it
 * @param beat counts the owner's renewals, so that each is another document
 * @param holder who may write; empty if nobody does
 * @param point the point that may be in the making: its manifest may have been sent
 */
record LeaseRecord(
    VmName vm, long epoch, long beat, Optional<Holder> holder, Optional<PointId> point) {

  /**
   * Who may write.
   *
   * @param operation what it does, such as "backup"
   * @param since when it began, by its clock
   * @param renewed when it last said so, by its clock
   * @param duration how long others have to see no renewal before they may take over
   */
  record Holder(
      LeaseOwner owner, String operation, Instant since, Instant renewed, Duration duration) {}

  private static final long MAX_DURATION = Duration.ofDays(1).toMillis();

  byte[] encode() {
    ObjectNode json =
        DocumentFormat.begin(DocumentFormat.BASIC)
            .put("vm", vm.value())
            .put("epoch", epoch)
            .put("beat", beat);
    holder.ifPresent(h -> {
      ObjectNode node = json.putObject("holder");
      node.put("host", h.owner.host())
          .put("process", h.owner.process())
          .put("started", h.owner.started())
          .put("place", h.owner.place())
          .put("nonce", h.owner.nonce());
      node.put("operation", h.operation)
          .put("since", h.since.toString())
          .put("renewed", h.renewed.toString())
          .put("durationMillis", h.duration.toMillis());
    });
    point.ifPresent(p -> json.put("point", p.value()));
    return SealedJson.seal(json);
  }

  static LeaseRecord decode(ObjectKey key, byte[] document) throws IOException {
    return DocumentFormat.read(key, document).checked(LeaseRecord::record);
  }

  private static LeaseRecord record(JsonFields fields) throws DamagedObjectException {
    return new LeaseRecord(
        fields.value("vm", LeaseOwner.MAX_TEXT, VmName::new),
        fields.integer("epoch", 0, Long.MAX_VALUE - 1),
        fields.integer("beat", 0, Long.MAX_VALUE - 1),
        fields.has("holder")
            ? Optional.of(fields.object("holder").checked(LeaseRecord::holder))
            : Optional.empty(),
        fields.has("point")
            ? Optional.of(fields.value("point", LeaseOwner.MAX_TEXT, PointId::new))
            : Optional.empty());
  }

  private static Holder holder(JsonFields fields) throws DamagedObjectException {
    return new Holder(
        new LeaseOwner(
            fields.text("host", LeaseOwner.MAX_TEXT),
            fields.integer("process", 0, Long.MAX_VALUE),
            fields.integer("started", -1, Long.MAX_VALUE),
            fields.text("place", LeaseOwner.MAX_TEXT),
            fields.text("nonce", LeaseOwner.MAX_TEXT)),
        fields.text("operation", LeaseOwner.MAX_TEXT),
        fields.value("since", LeaseOwner.MAX_TEXT, Instant::parse),
        fields.value("renewed", LeaseOwner.MAX_TEXT, Instant::parse),
        Duration.ofMillis(fields.integer("durationMillis", 1, MAX_DURATION)));
  }

  /** The same lease, renewed or with another point. */
  LeaseRecord next(Instant now, Optional<PointId> newPoint) {
    return new LeaseRecord(
        vm,
        epoch,
        beat + 1,
        holder.map(h -> new Holder(h.owner, h.operation, h.since, now, h.duration)),
        newPoint);
  }

  /** The lease when nobody holds it any more. */
  LeaseRecord free(Optional<PointId> unsettled) {
    return new LeaseRecord(vm, epoch, beat + 1, Optional.empty(), unsettled);
  }
}
