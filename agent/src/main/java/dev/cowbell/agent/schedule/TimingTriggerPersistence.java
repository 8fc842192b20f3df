package dev.cowbell.agent.schedule;

import org.quartz.impl.jdbcjobstore.SimplePropertiesTriggerPersistenceDelegateSupport;
import org.quartz.impl.jdbcjobstore.SimplePropertiesTriggerProperties;
import org.quartz.spi.OperableTrigger;

/**
 * Keeps {@link TimingTrigger}s in a database as text, in Quartz's table for such things. Quartz
 * creates it by its class name.
 */
public final class TimingTriggerPersistence
    extends SimplePropertiesTriggerPersistenceDelegateSupport {

  private static final String TYPE = "TIMING";

  @Override
  public boolean canHandleTriggerType(OperableTrigger trigger) {
    return trigger instanceof TimingTrigger;
  }

  @Override
  public String getHandledTriggerTypeDiscriminator() {
    return TYPE;
  }

  @Override
  protected SimplePropertiesTriggerProperties getTriggerProperties(OperableTrigger trigger) {
    TimingTrigger.Spec spec = ((TimingTrigger) trigger).spec();
    SimplePropertiesTriggerProperties properties = new SimplePropertiesTriggerProperties();
    properties.setString1(spec.timing().text());
    properties.setString2(spec.timing().zone().getId());
    properties.setString3(spec.misfire().name());
    return properties;
  }

  @Override
  protected TriggerPropertyBundle getTriggerPropertyBundle(
      SimplePropertiesTriggerProperties properties) {
    return new TriggerPropertyBundle(
        TimingTrigger.of(
            Timing.parse(properties.getString1(), properties.getString2()),
            MisfirePolicy.valueOf(properties.getString3())),
        new String[0],
        new Object[0]);
  }
}
